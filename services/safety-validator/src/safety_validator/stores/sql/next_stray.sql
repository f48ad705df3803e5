-- The writers that decisions name, one index look-up each; the first that is not known.
WITH RECURSIVE named AS (
    (
        SELECT writer_id, id
        FROM decisions
        WHERE writer_id IS NOT NULL
        ORDER BY writer_id, writer_seq
        LIMIT 1
    )
    UNION ALL
    SELECT following.writer_id, following.id
    FROM named
    CROSS JOIN LATERAL (
        SELECT d.writer_id, d.id
        FROM decisions AS d
        WHERE d.writer_id IS NOT NULL AND d.writer_id > named.writer_id
        ORDER BY d.writer_id, d.writer_seq
        LIMIT 1
    ) AS following
)

SELECT id FROM named
WHERE NOT EXISTS (SELECT FROM writers WHERE writers.id = named.writer_id)
LIMIT 1
