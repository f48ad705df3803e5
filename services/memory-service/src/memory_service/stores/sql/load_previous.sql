-- The vectors by the model $3 of the memories $2 of the agent $1.
SELECT (SELECT timeline()) AS timeline, agent.seq AS agent_seq, page.seq, page.vector
FROM agents AS agent
LEFT JOIN LATERAL (
    SELECT seq, vector
    FROM embeddings
    WHERE agent_id = $1 AND seq = ANY($2::bigint[]) AND model = $3
) AS page ON true
WHERE agent.agent_id = $1
