-- The open job of kind $3 of $1: a new one, $2, over the changes above $4 and up to $5
-- (all that there are, where that is null), if there was none.
WITH opened AS (
    INSERT INTO jobs (agent_id, id, kind, state, created_at, progress)
    VALUES (
        $1, $2, $3, 'waiting', now(),
        jsonb_build_object(
            'after', $4::bigint,
            'until',
            coalesce($5::bigint, (SELECT seq FROM agents WHERE agent_id = $1), 0)
        )
    )
    ON CONFLICT (agent_id, kind) WHERE state IN ('waiting', 'running') DO NOTHING
    RETURNING
        id, agent_id, kind, state, created_at, started_at, ended_at, progress, result,
        error
)
SELECT * FROM opened
UNION ALL
SELECT
    id, agent_id, kind, state, created_at, started_at, ended_at, progress, result, error
FROM jobs
WHERE agent_id = $1 AND kind = $3 AND state IN ('waiting', 'running')
