-- Takes the row of an agent that exists until the commit; its newest change.
SELECT seq, digest_key, anchor_lengths, now() AS now
FROM agents
WHERE agent_id = $1
FOR UPDATE
