-- The part of the index in which the memories of $1 after $2 and up to $3 are.
SELECT (SELECT timeline()) AS timeline, agent.seq AS agent_seq, page.seq, page.part
FROM agents AS agent
LEFT JOIN LATERAL (
    SELECT
        seq,
        CASE
            WHEN superseded_by IS NOT NULL THEN 'past'
            WHEN evidence = 'thought' THEN 'thoughts'
            ELSE 'facts'
        END AS part
    FROM memories
    WHERE agent_id = $1 AND seq > $2 AND seq <= $3 AND judged
) AS page ON true
WHERE agent.agent_id = $1
