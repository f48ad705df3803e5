-- A page of $1's tombstones, newest first, that begins after $2.
SELECT id, agent_id, kind, created_at, created_by
FROM tombstones
WHERE agent_id = $1 AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3
