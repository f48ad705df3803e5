-- Those of the memories $2 that $1 has. An id is looked up in the table that is not cut
-- into months.
SELECT agent.seq AS agent_seq, memory.*
FROM agents AS agent
LEFT JOIN LATERAL (
    SELECT
        id, seq, agent_id, user_id, session_id, content, memory_type, importance,
        timestamp, created_at, updated_at, metadata, evidence, pinned, access_count,
        last_accessed_at, superseded_by, expires_at
    FROM memories
    WHERE
        agent_id = $1
        AND seq IN (
            SELECT seq
            FROM embeddings
            WHERE agent_id = $1 AND memory_id = ANY($2::uuid[])
        )
        AND (expires_at IS NULL OR expires_at > now())
) AS memory ON true
WHERE agent.agent_id = $1
