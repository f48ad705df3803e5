-- Of the agent $1 the newest vectors by the model $4 that stand since the change $2 or
-- longer, at most $3.
SELECT embeddings.seq, embeddings.vector, previous.vector AS previous
FROM embeddings
JOIN memories ON memories.agent_id = $1 AND memories.seq = embeddings.seq
LEFT JOIN embeddings AS previous
    ON
        previous.agent_id = $1
        AND previous.seq = embeddings.previous_seq
        AND previous.model = $4
WHERE
    embeddings.agent_id = $1
    AND embeddings.seq <= $2
    AND embeddings.model = $4
    AND memories.changed_seq <= $2
    AND memories.judged
ORDER BY embeddings.seq DESC
LIMIT $3
