-- Deletes jobs that ended longer than $1 ago, but for each agent's last of a kind.
DELETE FROM jobs
WHERE
    ended_at < now() - $1::interval
    AND EXISTS (
        SELECT FROM jobs AS later
        WHERE
            later.agent_id = jobs.agent_id
            AND later.kind = jobs.kind
            AND later.state = 'done'
            AND later.created_at > jobs.created_at
    )
