WITH oldest AS (
    SELECT min(position) AS position FROM thoughts WHERE agent_id = $1
),

deleted AS (
    DELETE FROM thoughts AS t
    USING oldest
    WHERE
        t.agent_id = $1
        AND t.position >= oldest.position AND t.position < oldest.position + $2::int
    RETURNING 1
)

SELECT count(*) AS deleted FROM deleted
