-- The memories of $1 numbered above $2, with what they were made from, as many as an
-- import takes, and with their vectors if $4.
SELECT
    embeddings.model,
    embeddings.vector,
    ARRAY(
        SELECT source_id
        FROM sources
        WHERE sources.agent_id = $1 AND sources.memory_id = memory.id
        ORDER BY source_id
        LIMIT 100
    ) AS sources,
    memory.*
FROM (
    SELECT
        id, seq, agent_id, user_id, session_id, content, memory_type, importance,
        timestamp, created_at, updated_at, metadata, evidence, pinned, access_count,
        last_accessed_at, superseded_by, expires_at
    FROM memories
    WHERE
        agent_id = $1
        AND seq > $2
        AND superseded_by IS NULL
        AND (expires_at IS NULL OR expires_at > now())
    ORDER BY seq
    LIMIT $3
) AS memory
LEFT JOIN embeddings
    ON $4 AND embeddings.agent_id = $1 AND embeddings.memory_id = memory.id
ORDER BY memory.seq
