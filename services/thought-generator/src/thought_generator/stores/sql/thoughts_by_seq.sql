SELECT seq, content, heard
FROM thoughts
WHERE agent_id = $1 AND stream = $2 AND seq = ANY($3::bigint[])
