-- Whose memory $1 is: an id is one agent's, unless it came in by an import.
SELECT agent_id FROM memories WHERE id = $1 ORDER BY agent_id
