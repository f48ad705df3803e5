-- Deletes the memories $2 of $1 with their past versions and all that tells of them,
-- counted on from $3; their ids stay taken. $4 says whether somebody wanted it.
-- What was read with one of them is to be read without it: it changes too.
WITH doomed AS MATERIALIZED (
    SELECT id
    FROM memories
    WHERE
        agent_id = $1
        AND id IN (
            SELECT unnest($2::uuid[])
            UNION
            SELECT id
            FROM memories
            WHERE
                agent_id = $1
                AND superseded_by = ANY($2::uuid[])
                AND superseded_by IS NOT NULL
        )
    -- In the order in which accesses are counted.
    ORDER BY seq
    FOR UPDATE
),
gone AS (
    DELETE FROM memories
    WHERE agent_id = $1 AND id IN (SELECT id FROM doomed)
    RETURNING id, seq
),
numbered AS (
    SELECT id, seq AS memory_seq, $3 + row_number() OVER (ORDER BY seq) AS seq
    FROM gone
),
unembedded AS (
    DELETE FROM embeddings
    WHERE agent_id = $1 AND memory_id IN (SELECT id FROM gone)
),
left_alone AS (
    UPDATE embeddings
    SET previous_seq = NULL
    WHERE
        agent_id = $1
        AND previous_seq IN (SELECT seq FROM gone)
        AND memory_id NOT IN (SELECT id FROM gone)
    RETURNING memory_id, seq
),
renumbered AS (
    SELECT
        memory_id,
        $3 + (SELECT count(*) FROM gone) + row_number() OVER (ORDER BY seq) AS seq
    FROM left_alone
),
changed AS (
    UPDATE memories
    SET changed_seq = renumbered.seq
    FROM renumbered
    WHERE memories.agent_id = $1 AND memories.id = renumbered.memory_id
),
unwritten AS (
    DELETE FROM history
    WHERE agent_id = $1 AND memory_id IN (SELECT id FROM gone)
),
unmentioned AS (
    DELETE FROM mentions
    WHERE agent_id = $1 AND memory_id IN (SELECT id FROM gone)
),
unsourced AS (
    DELETE FROM sources
    WHERE agent_id = $1 AND memory_id IN (SELECT id FROM gone)
),
uncited AS (
    DELETE FROM sources
    WHERE
        agent_id = $1
        AND source_id IN (SELECT id FROM gone)
        AND memory_id NOT IN (SELECT id FROM gone)
),
noted AS (
    INSERT INTO deletions (agent_id, memory_id, memory_seq, seq, deleted_at, wanted)
    SELECT $1, id, memory_seq, seq, now(), $4 FROM numbered
),
counted AS (
    UPDATE agents
    SET seq = greatest(
        (SELECT max(seq) FROM numbered), (SELECT max(seq) FROM renumbered)
    )
    WHERE agent_id = $1 AND EXISTS (SELECT FROM numbered)
    RETURNING seq
)
SELECT
    seq,
    (SELECT count(*) FROM numbered) AS memories,
    pg_notify('memory_changes', $1)
FROM counted
