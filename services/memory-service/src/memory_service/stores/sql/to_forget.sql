-- Memories of $1 numbered above $2 and up to $3 that meet all conditions, in order, at
-- most $4; past versions go with what superseded them.
SELECT id, seq
FROM memories
WHERE
    agent_id = $1
    AND seq > $2
    AND seq <= $3
    AND superseded_by IS NULL
    AND ($5::text[] IS NULL OR memory_type = ANY($5))
    AND ($6::text IS NULL OR user_id = $6)
    AND ($7::text IS NULL OR session_id = $7)
    AND ($8::timestamptz IS NULL OR timestamp >= $8)
    AND ($9::timestamptz IS NULL OR timestamp <= $9)
    AND ($10::double precision IS NULL OR importance >= $10)
    AND ($11::jsonb IS NULL OR metadata @> $11)
    AND ($12::text[] IS NULL OR evidence = ANY($12))
ORDER BY seq
LIMIT $4
