SELECT id, number FROM writers WHERE number > $1 ORDER BY number LIMIT $2
