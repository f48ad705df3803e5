-- Memories of before $1 that are not pinned, after ($2, $3, $4), at most $5.
SELECT agent_id, timestamp, id
FROM memories
WHERE
    timestamp < $1
    AND (agent_id, timestamp, id) > ($2, $3::timestamptz, $4::uuid)
    AND NOT pinned
ORDER BY agent_id, timestamp, id
LIMIT $5
