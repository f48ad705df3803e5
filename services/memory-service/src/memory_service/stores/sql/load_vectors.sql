-- Of the agent $1 at most $3 vectors by the model $4 whose memories follow $2.
SELECT
    (SELECT timeline()) AS timeline,
    agent.seq AS agent_seq,
    page.seq,
    page.previous_seq,
    page.vector
FROM agents AS agent
LEFT JOIN LATERAL (
    SELECT seq, previous_seq, vector
    FROM embeddings
    WHERE agent_id = $1 AND seq > $2 AND model = $4
    ORDER BY seq
    LIMIT $3
) AS page ON true
WHERE agent.agent_id = $1
ORDER BY page.seq
