UPDATE agents SET paused = $2 WHERE agent_id = $1 RETURNING agent_id
