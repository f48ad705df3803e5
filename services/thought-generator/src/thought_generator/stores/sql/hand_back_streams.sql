-- What somebody else holds at this moment stays owned, and is handed back later.
WITH idle AS (
    SELECT s.agent_id, s.stream
    FROM streams AS s
    JOIN unnest($2::text [], $3::text [], $4::bigint []) AS back (
        agent_id, stream, epoch
    )
        ON s.agent_id = back.agent_id AND s.stream = back.stream
    WHERE s.owner = $1 AND s.epoch = back.epoch
    FOR UPDATE OF s SKIP LOCKED
)

UPDATE streams AS s
SET owner = NULL
FROM idle
WHERE s.agent_id = idle.agent_id AND s.stream = idle.stream
