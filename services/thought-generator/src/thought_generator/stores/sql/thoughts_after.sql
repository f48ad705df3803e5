SELECT
    id, agent_id, stream, seq, previous_id, position, content, created_at, engine,
    model, cached, context_digest, recalled, safety, usage, timings_ms, stop_reason
FROM thoughts
WHERE agent_id = $1 AND position > $2
ORDER BY position
LIMIT $3
