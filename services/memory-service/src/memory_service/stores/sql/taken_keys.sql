-- Those of the idempotency keys given, by triples, that have their answer.
SELECT agent_id, operation, key
FROM idempotency_keys
INNER JOIN unnest($1::text[], $2::text[], $3::text[])
    AS wanted (agent_id, operation, key) USING (agent_id, operation, key)
