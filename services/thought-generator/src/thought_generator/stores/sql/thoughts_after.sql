SELECT *
FROM thoughts
WHERE agent_id = $1 AND position > $2
ORDER BY position
LIMIT $3
