DELETE FROM streams WHERE agent_id = $1 AND NOT stream = ANY($2::text [])
