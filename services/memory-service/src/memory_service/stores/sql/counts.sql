-- How many memories $1 has, by type. Of an agent with more than $2 changes what the last
-- refresh counted, and exactly what came after it: numbers above all that it knew.
WITH agent AS (SELECT seq FROM agents WHERE agent_id = $1),
refreshed AS MATERIALIZED (
    SELECT memory_type, memories, seq
    FROM memory_counts
    WHERE agent_id = $1 AND (SELECT seq FROM agent) > $2
)
SELECT
    agent.seq AS agent_seq,
    counted.memory_type,
    counted.memories,
    (
        SELECT count(*)
        FROM memories
        WHERE agent_id = $1 AND NOT judged AND superseded_by IS NULL
    ) AS unjudged
FROM agent
LEFT JOIN LATERAL (
    SELECT memory_type, sum(memories)::bigint AS memories
    FROM (
        SELECT memory_type, memories FROM refreshed
        UNION ALL
        SELECT memory_type, count(*) AS memories
        FROM memories
        WHERE
            agent_id = $1
            AND seq > coalesce((SELECT max(seq) FROM refreshed), 0)
            AND superseded_by IS NULL
            AND (expires_at IS NULL OR expires_at > now())
        GROUP BY memory_type
    ) AS halves
    GROUP BY memory_type
) AS counted ON true
ORDER BY counted.memory_type
