WITH added AS (
    INSERT INTO writers (id, number, anchor_hash, head_hash)
    SELECT $1::uuid, coalesce(max(number), 0) + 1, $2::bytea, $2::bytea
    FROM writers
    ON CONFLICT (id) DO NOTHING
    RETURNING number
)

SELECT number FROM added
UNION ALL
SELECT number FROM writers WHERE id = $1::uuid
