SELECT seq, heard, content
FROM thoughts
WHERE agent_id = $1 AND session_id = $2
ORDER BY position DESC
LIMIT $3
