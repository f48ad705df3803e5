INSERT INTO loops (agent_id, thought_id)
SELECT t.agent_id, t.id
FROM thoughts AS t
WHERE t.agent_id = $1 AND t.id = $2
FOR KEY SHARE
ON CONFLICT DO NOTHING
