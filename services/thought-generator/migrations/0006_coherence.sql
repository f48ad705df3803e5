-- What a mind's coherence is measured by, beside its thoughts.

-- A stream cannot have thought before it was there.
ALTER TABLE streams ADD COLUMN added_at timestamptz NOT NULL DEFAULT now();

-- When a stream was silent because a person or its budget wanted it; that something was
-- out is no such reason. An open gap has no end.
CREATE TABLE gaps (
    agent_id text NOT NULL,
    stream text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('paused', 'disabled', 'budget')),
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (agent_id, stream, reason, began_at),
    -- Not to agents: who records a doze holds the stream's row, and would wait for a
    -- commit that holds the agent's and waits for the stream's.
    FOREIGN KEY (agent_id, stream) REFERENCES streams ON DELETE CASCADE
);
CREATE UNIQUE INDEX gaps_open ON gaps (agent_id, stream, reason)
WHERE ended_at IS NULL;

-- Thoughts that repeated one of their stream's last, so that it was turned away.
CREATE TABLE loops (
    agent_id text NOT NULL,
    thought_id uuid NOT NULL,
    broken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, thought_id),
    FOREIGN KEY (agent_id, thought_id) REFERENCES thoughts ON DELETE CASCADE
);
CREATE INDEX loops_broken_at ON loops (agent_id, broken_at);

-- Each reason on its own: who changes one holds the row that says so, and no two meet.
CREATE FUNCTION note_gap(
    of_agent text, of_stream text, why text, silent boolean
) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF silent THEN
        INSERT INTO gaps (agent_id, stream, reason)
        VALUES (of_agent, of_stream, why)
        ON CONFLICT DO NOTHING;
    ELSE
        UPDATE gaps
        SET ended_at = clock_timestamp()
        WHERE
            agent_id = of_agent AND stream = of_stream AND reason = why
            AND ended_at IS NULL;
        -- Longer than any window that is looked at.
        DELETE FROM gaps
        WHERE
            agent_id = of_agent AND stream = of_stream
            AND ended_at < now() - interval '7 days';
    END IF;
END
$$;

CREATE FUNCTION note_stream_gaps() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM note_gap(NEW.agent_id, NEW.stream, 'disabled', NOT NEW.enabled);
    PERFORM note_gap(
        NEW.agent_id, NEW.stream, 'budget',
        NEW.doze_problem IS NOT DISTINCT FROM 'budget-spent'
    );
    IF TG_OP = 'INSERT' THEN
        PERFORM note_gap(a.agent_id, NEW.stream, 'paused', true)
        FROM agents AS a
        WHERE a.agent_id = NEW.agent_id AND a.paused;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION note_agent_gaps() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM note_gap(s.agent_id, s.stream, 'paused', NEW.paused)
    FROM streams AS s
    WHERE s.agent_id = NEW.agent_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER streams_silent_at_first AFTER INSERT ON streams
FOR EACH ROW EXECUTE FUNCTION note_stream_gaps();

CREATE TRIGGER streams_silent AFTER UPDATE OF enabled, doze_problem ON streams
FOR EACH ROW WHEN (
    OLD.enabled <> NEW.enabled OR OLD.doze_problem IS DISTINCT FROM NEW.doze_problem
)
EXECUTE FUNCTION note_stream_gaps();

CREATE TRIGGER agents_silent AFTER UPDATE OF paused ON agents
FOR EACH ROW WHEN (OLD.paused <> NEW.paused)
EXECUTE FUNCTION note_agent_gaps();

INSERT INTO gaps (agent_id, stream, reason)
SELECT s.agent_id, s.stream, why.reason
FROM streams AS s
JOIN agents AS a ON a.agent_id = s.agent_id
CROSS JOIN LATERAL (
    VALUES ('paused', a.paused), ('disabled', NOT s.enabled),
    ('budget', s.doze_problem = 'budget-spent')
) AS why (reason, silent)
WHERE why.silent;
