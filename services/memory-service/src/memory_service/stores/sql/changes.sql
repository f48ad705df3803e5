-- The changes of $1 after $2, at most $3. One statement is one snapshot, and numbers
-- become visible in order: what a page leaves out comes later under a higher number.
SELECT agent.seq AS agent_seq, change.*
FROM agents AS agent
LEFT JOIN LATERAL (
    (
        SELECT
            memories.changed_seq AS seq,
            memories.seq AS memory_seq,
            memories.evidence = 'thought' AS thought,
            CASE WHEN memories.judged THEN embeddings.vector END AS vector
        FROM memories
        LEFT JOIN embeddings
            ON
                embeddings.agent_id = $1
                AND embeddings.memory_id = memories.id
                AND embeddings.model = $4
        WHERE memories.agent_id = $1 AND memories.changed_seq > $2
        ORDER BY memories.changed_seq
        LIMIT $3
    )
    UNION ALL
    (
        SELECT seq, memory_seq, false AS thought, NULL AS vector
        FROM deletions
        WHERE agent_id = $1 AND seq > $2
        ORDER BY seq
        LIMIT $3
    )
    ORDER BY seq
    LIMIT $3
) AS change ON true
WHERE agent.agent_id = $1
ORDER BY change.seq
