UPDATE outbox AS o
SET claimed_until = '-infinity'
FROM unnest($1::text [], $2::uuid []) AS failed (agent_id, thought_id)
WHERE o.agent_id = failed.agent_id AND o.thought_id = failed.thought_id
