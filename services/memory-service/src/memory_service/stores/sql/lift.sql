-- Lifts the tombstones given, ($1, $2) by pairs.
DELETE FROM tombstones
USING unnest($1::text[], $2::uuid[]) AS lifted (agent_id, id)
WHERE tombstones.agent_id = lifted.agent_id AND tombstones.id = lifted.id
RETURNING tombstones.id
