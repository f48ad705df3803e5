-- A stream that was dropped goes on where its chain ended. Its epochs are later than
-- those it had before, counted in microseconds: what was begun then cannot commit.
INSERT INTO streams (
    agent_id, stream, enabled, interval_seconds, prompt, last_seq, last_id, previous_id,
    epoch
)
SELECT
    $1, $2, $3, $4, $5,
    coalesce(t.seq, 0), t.id, t.previous_id,
    (extract(EPOCH FROM clock_timestamp()) * 1000000)::bigint
FROM (SELECT 1) AS always
LEFT JOIN LATERAL (
    SELECT seq, id, previous_id
    FROM thoughts
    WHERE agent_id = $1 AND stream = $2
    ORDER BY seq DESC
    LIMIT 1
) AS t ON true
ON CONFLICT (agent_id, stream) DO UPDATE
SET
    enabled = excluded.enabled,
    interval_seconds = excluded.interval_seconds,
    prompt = excluded.prompt
