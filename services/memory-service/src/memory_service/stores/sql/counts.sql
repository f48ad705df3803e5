-- How many memories $1 has, by type.
SELECT agent.seq AS agent_seq, counted.memory_type, counted.memories, counted.unjudged
FROM agents AS agent
LEFT JOIN LATERAL (
    SELECT
        memory_type,
        count(*) AS memories,
        count(*) FILTER (WHERE NOT judged) AS unjudged
    FROM memories
    WHERE agent_id = $1 AND (expires_at IS NULL OR expires_at > now())
    GROUP BY memory_type
) AS counted ON true
WHERE agent.agent_id = $1
ORDER BY counted.memory_type
