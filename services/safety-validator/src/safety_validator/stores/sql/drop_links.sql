WITH gone AS (
    DELETE FROM decisions WHERE writer_id = $1 AND writer_seq <= $2
)

UPDATE writers SET anchor_seq = $2, anchor_hash = $3, anchor_seal = $4
WHERE id = $1 AND anchor_seq < $2
