SELECT
    id, agent_id, stream, seq, previous_id, position, content, created_at, engine,
    model, cached, context_digest, recalled, safety, usage, timings_ms, stop_reason
FROM thoughts
WHERE id = $1
