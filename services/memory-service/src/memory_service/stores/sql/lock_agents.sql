-- Takes the agents' rows until the commit; in the order given, so that two writers
-- never wait for each other.
INSERT INTO agents AS agent (agent_id, seq)
SELECT agent_id, 0 FROM unnest($1::text[]) AS agent_id
ON CONFLICT (agent_id) DO UPDATE SET seq = agent.seq
RETURNING agent_id, seq, digest_key, anchor_lengths, now() AS now
