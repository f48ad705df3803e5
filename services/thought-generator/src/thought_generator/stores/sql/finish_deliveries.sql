DELETE FROM outbox AS o
USING unnest($1::text [], $2::uuid []) AS done (agent_id, thought_id)
WHERE o.agent_id = done.agent_id AND o.thought_id = done.thought_id
