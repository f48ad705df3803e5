-- Memories that stand and say what others are about to say: wanted by agent, digest,
-- user, type and evidence, a few of each.
SELECT memory.*
FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[])
    AS wanted (agent_id, digest, user_id, memory_type, evidence)
CROSS JOIN LATERAL (
    SELECT
        embeddings.vector, memories.digest,
        memories.id, memories.seq, memories.agent_id, memories.user_id,
        memories.session_id, memories.content, memories.memory_type,
        memories.importance, memories.timestamp, memories.created_at,
        memories.updated_at, memories.metadata, memories.evidence, memories.pinned,
        memories.access_count, memories.last_accessed_at, memories.superseded_by,
        memories.expires_at
    FROM memories
    LEFT JOIN embeddings
        ON
            embeddings.agent_id = wanted.agent_id
            AND embeddings.memory_id = memories.id
            AND embeddings.model = $6
    WHERE
        memories.agent_id = wanted.agent_id
        AND memories.digest = wanted.digest
        AND memories.user_id IS NOT DISTINCT FROM wanted.user_id
        AND memories.memory_type = wanted.memory_type
        AND memories.evidence = wanted.evidence
        AND memories.superseded_by IS NULL
        AND memories.judged
        AND (memories.expires_at IS NULL OR memories.expires_at > now())
    LIMIT $7
) AS memory
