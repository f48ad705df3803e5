-- The changes of $1 after $2, at most $3. One statement is one snapshot, and numbers
-- become visible in order: what a page leaves out comes later under a higher number.
-- Vectors are looked up for the rows of the page alone: before the tables are analysed
-- the planner would rather compare each memory with all vectors of the agent.
SELECT
    agent.seq AS agent_seq,
    change.seq,
    change.memory_seq,
    change.part,
    own.vector,
    previous.vector AS previous
FROM agents AS agent
LEFT JOIN LATERAL (
    (
        SELECT
            changed_seq AS seq,
            seq AS memory_seq,
            CASE
                WHEN superseded_by IS NOT NULL THEN 'past'
                WHEN evidence = 'thought' THEN 'thoughts'
                ELSE 'facts'
            END AS part,
            CASE WHEN judged THEN id END AS memory_id
        FROM memories
        WHERE agent_id = $1 AND changed_seq > $2
        ORDER BY changed_seq
        LIMIT $3
    )
    UNION ALL
    (
        SELECT seq, memory_seq, 'facts' AS part, NULL AS memory_id
        FROM deletions
        WHERE agent_id = $1 AND seq > $2
        ORDER BY seq
        LIMIT $3
    )
    ORDER BY seq
    LIMIT $3
) AS change ON true
LEFT JOIN LATERAL (
    SELECT vector, previous_seq
    FROM embeddings
    WHERE agent_id = $1 AND memory_id = change.memory_id AND model = $4
    LIMIT 1
) AS own ON true
LEFT JOIN LATERAL (
    SELECT vector
    FROM embeddings
    WHERE agent_id = $1 AND seq = own.previous_seq AND model = $4
    LIMIT 1
) AS previous ON true
WHERE agent.agent_id = $1
ORDER BY change.seq
