-- The memory $2 of $1, where this server has it yet.
SELECT content
FROM memories
WHERE agent_id = $1 AND id = $2
