DELETE FROM idempotency_keys WHERE agent_id = $1
