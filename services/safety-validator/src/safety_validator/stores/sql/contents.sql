SELECT id, content
FROM decisions
WHERE (agent_id, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
