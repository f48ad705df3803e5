SELECT writer_seq, hash, created_at
FROM decisions
WHERE writer_id = $1
ORDER BY writer_seq
LIMIT $2
