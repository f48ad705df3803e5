-- The first agent after $1 with memories that wait for their whole verdict. Asked agent
-- by agent it costs a step in the index, however many memories wait.
SELECT agent_id
FROM memories
WHERE NOT judged AND agent_id > $1
ORDER BY agent_id
LIMIT 1
