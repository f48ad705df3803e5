-- How many there are, and the first that is too late to be one of the version before.
SELECT
    count(*) AS count,
    (
        SELECT late.id
        FROM decisions AS late
        WHERE
            (late.writer_id IS NULL OR late.writer_seq IS NULL)
            AND late.created_at > (SELECT min(began_at) FROM chaining) + $1::interval
        ORDER BY late.created_at
        LIMIT 1
    ) AS late
FROM decisions
WHERE writer_id IS NULL OR writer_seq IS NULL
