SELECT t.*, a.position AS agent_position
FROM agents AS a
LEFT JOIN LATERAL (
    SELECT
        id, agent_id, stream, seq, previous_id, position, content, created_at, engine,
        model, cached, context_digest, recalled, safety, usage, timings_ms, stop_reason
    FROM thoughts
    WHERE
        agent_id = $1
        AND ($2::text IS NULL OR stream = $2)
        AND ($3::bigint IS NULL OR position < $3)
    ORDER BY position DESC
    LIMIT $4
) AS t ON true
WHERE a.agent_id = $1
ORDER BY t.position DESC
