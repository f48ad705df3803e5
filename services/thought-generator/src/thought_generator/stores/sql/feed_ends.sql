SELECT agent_id, position, created_at
FROM agents
WHERE agent_id = ANY($1::text [])
