-- Months as partitions, and counts of large agents.

-- Gives a month its partition, with what `memories_other` has of it; whether it has one
-- now. A month of more than `move_at_most` rows there stays there, so that nobody waits
-- long. `month_begins` is the first of a month, 00:00 UTC.
CREATE FUNCTION make_partition(month_begins timestamptz, move_at_most bigint)
RETURNS boolean LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    month_ends timestamptz := month_begins + interval '1 month';
    name text := 'memories_' || to_char(month_begins, 'YYYY_MM');
    columns text;
    waiting bigint;
BEGIN
    PERFORM pg_advisory_xact_lock('memories'::regclass::oid::bigint);
    IF to_regclass(name) IS NOT NULL THEN
        RETURN true;
    END IF;
    -- What is moved must not be changed meanwhile.
    LOCK TABLE memories_other IN ACCESS EXCLUSIVE MODE;
    SELECT count(*) INTO waiting FROM memories_other
    WHERE timestamp >= month_begins AND timestamp < month_ends;
    IF waiting > move_at_most THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I (LIKE memories_other INCLUDING ALL) WITH (fillfactor = 90)',
        name
    );
    SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
    WHERE attrelid = 'memories_other'::regclass
        AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format(
        'WITH moved AS (
            DELETE FROM memories_other WHERE timestamp >= $1 AND timestamp < $2
            RETURNING *
        )
        INSERT INTO %I (%s) SELECT %s FROM moved',
        name, columns, columns
    ) USING month_begins, month_ends;
    EXECUTE format(
        'ALTER TABLE memories ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        name, month_begins, month_ends
    );
    RETURN true;
END
$$;

-- Takes out a month's partition that is empty; whether it was.
CREATE FUNCTION drop_partition(name text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    is_empty boolean;
BEGIN
    PERFORM pg_advisory_xact_lock('memories'::regclass::oid::bigint);
    IF to_regclass(name) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', name);
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', name) INTO is_empty;
    IF is_empty THEN
        EXECUTE format('ALTER TABLE memories DETACH PARTITION %I', name);
        EXECUTE format('DROP TABLE %I', name);
    END IF;
    RETURN is_empty;
END
$$;

-- `memories_before` gets all that lies before the first month. `memories_other` keeps
-- what lies beyond the last: little, so that a month made later looks through little.
DO $$
DECLARE
    this_month timestamptz := date_trunc('month', now(), 'UTC');
    columns text;
BEGIN
    FOR month IN 0..3 LOOP
        PERFORM make_partition(
            (this_month AT TIME ZONE 'UTC' + make_interval(months => month))
            AT TIME ZONE 'UTC',
            9223372036854775807
        );
    END LOOP;
    ALTER TABLE memories DETACH PARTITION memories_other;
    ALTER TABLE memories_other RENAME TO memories_before;
    CREATE TABLE memories_other (LIKE memories_before INCLUDING ALL)
    WITH (fillfactor = 90);
    SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
    WHERE attrelid = 'memories_before'::regclass
        AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format(
        'WITH moved AS (
            DELETE FROM memories_before WHERE timestamp >= $1 RETURNING *
        )
        INSERT INTO memories_other (%s) SELECT %s FROM moved',
        columns, columns
    ) USING this_month;
    EXECUTE format(
        'ALTER TABLE memories ATTACH PARTITION memories_before
        FOR VALUES FROM (MINVALUE) TO (%L)',
        this_month
    );
    ALTER TABLE memories ATTACH PARTITION memories_other DEFAULT;
END
$$;

-- The few among many: a page of theirs would be looked for through all the others.
CREATE INDEX memories_newest_of_type
ON memories (agent_id, memory_type, timestamp DESC, seq DESC)
WHERE memory_type <> 'episodic';
CREATE INDEX memories_unjudged ON memories (agent_id) WHERE NOT judged;

-- How many memories there were at the last refresh; later ones have higher numbers.
CREATE MATERIALIZED VIEW memory_counts AS
SELECT agent_id, memory_type, count(*) AS memories, max(seq) AS seq
FROM memories
WHERE superseded_by IS NULL AND (expires_at IS NULL OR expires_at > now())
GROUP BY agent_id, memory_type;
CREATE UNIQUE INDEX memory_counts_key ON memory_counts (agent_id, memory_type);

-- What is done once for all replicas: when it is due again, and `changes`, the number of
-- all changes that it has seen.
CREATE TABLE upkeep (
    task text PRIMARY KEY,
    due_at timestamptz NOT NULL,
    changes numeric NOT NULL
);
INSERT INTO upkeep VALUES ('memory_counts', '-infinity', 0);
