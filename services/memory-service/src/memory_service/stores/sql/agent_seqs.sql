-- The newest change of each of the agents $1.
SELECT agent_id, seq FROM agents WHERE agent_id = ANY($1::text[])
