-- The jobs of the id $1: an id is one agent's.
SELECT
    id, agent_id, kind, state, created_at, started_at, ended_at, progress, result, error
FROM jobs
WHERE id = $1
ORDER BY agent_id
