-- Those of $1's memories numbered $2 that may go into a consolidation, in order, with
-- their vectors of the model $3, and the agent's newest change.
SELECT
    agents.seq AS agent_seq,
    memories.id,
    memories.seq,
    memories.user_id,
    memories.content,
    memories.importance,
    memories.timestamp,
    embeddings.vector
FROM agents
INNER JOIN memories ON memories.agent_id = $1 AND memories.seq = ANY($2::bigint[])
INNER JOIN embeddings
    ON
        embeddings.agent_id = $1
        AND embeddings.memory_id = memories.id
        AND embeddings.model = $3
WHERE
    agents.agent_id = $1
    AND memories.memory_type = 'episodic'
    AND memories.evidence IN ('told', 'observed')
    AND NOT memories.pinned
    AND memories.superseded_by IS NULL
    AND memories.expires_at IS NULL
ORDER BY memories.seq
