-- The memories that expired first, at most $1.
SELECT agent_id, id
FROM memories
WHERE expires_at <= now()
ORDER BY expires_at, agent_id
LIMIT $1
