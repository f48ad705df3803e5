-- Episodes of $1 numbered above $2 and up to $3 that no consolidation cites, with their
-- vectors of the model $4. What is pinned stays as it is; what expires would outlive its
-- time in another memory.
SELECT memories.seq, memories.user_id, embeddings.vector
FROM memories
INNER JOIN embeddings
    ON
        embeddings.agent_id = $1
        AND embeddings.memory_id = memories.id
        AND embeddings.model = $4
WHERE
    memories.agent_id = $1
    AND memories.seq > $2
    AND memories.seq <= $3
    AND memories.memory_type = 'episodic'
    AND memories.evidence IN ('told', 'observed')
    AND memories.judged
    AND NOT memories.pinned
    AND memories.superseded_by IS NULL
    AND memories.expires_at IS NULL
    AND NOT EXISTS (
        SELECT FROM sources
        WHERE
            sources.agent_id = $1
            AND sources.source_id = memories.id
            AND sources.consolidated
    )
ORDER BY memories.seq
