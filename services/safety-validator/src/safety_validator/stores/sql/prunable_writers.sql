SELECT id, number FROM writers
WHERE number > $1 AND anchor_seq < head_seq
ORDER BY number
LIMIT $2
