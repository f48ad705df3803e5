SELECT agent_id, position FROM agents WHERE agent_id = ANY($1::text [])
