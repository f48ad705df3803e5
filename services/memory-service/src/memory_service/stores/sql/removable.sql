-- Those of the memories $2 of $1 that are still to go by themselves: where $3, because
-- their time is over; else they must not be pinned.
SELECT id
FROM memories
WHERE
    agent_id = $1
    AND id = ANY($2::uuid[])
    AND CASE WHEN $3 THEN coalesce(expires_at <= now(), false) ELSE NOT pinned END
