-- Takes the oldest job that nobody holds, for the time $1; it is counted on, so that
-- whoever held it before may write no more.
UPDATE jobs
SET
    state = 'running',
    epoch = epoch + 1,
    started_at = coalesce(started_at, now()),
    lease_until = now() + $1::interval
WHERE (agent_id, id) = (
    SELECT agent_id, id
    FROM jobs
    WHERE
        state IN ('waiting', 'running')
        AND (lease_until IS NULL OR lease_until < now())
    ORDER BY created_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING
    epoch, id, agent_id, kind, state, created_at, started_at, ended_at, progress,
    result, error
