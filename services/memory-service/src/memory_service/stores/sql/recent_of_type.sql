-- A page of $1's memories of a type $2 that is not the usual one, newest first, that
-- begins after ($3, $4).
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
        AND memory_type = $2
        AND memory_type <> 'episodic'
        AND (timestamp, seq) < (coalesce($3::timestamptz, 'infinity'), $4::bigint)
        AND superseded_by IS NULL
        AND (expires_at IS NULL OR expires_at > now())
    ORDER BY timestamp DESC, seq DESC
    LIMIT $5
) AS memory ON true
WHERE agent.agent_id = $1
ORDER BY memory.timestamp DESC, memory.seq DESC
