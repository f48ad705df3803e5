SELECT 1 FROM agents WHERE agent_id = $1 FOR UPDATE
