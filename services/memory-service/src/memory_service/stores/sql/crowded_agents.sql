-- Agents with more than $2 memories and no open job of kind $1, at most $3, with what
-- the last such job had looked at.
SELECT agents.agent_id, coalesce(looked.until, 0) AS looked
FROM agents
LEFT JOIN LATERAL (
    SELECT (progress ->> 'until')::bigint AS until
    FROM jobs
    WHERE jobs.agent_id = agents.agent_id AND kind = $1 AND state = 'done'
    ORDER BY created_at DESC
    LIMIT 1
) AS looked ON true
WHERE
    agents.seq > $2
    AND NOT EXISTS (
        SELECT FROM jobs
        WHERE
            jobs.agent_id = agents.agent_id
            AND kind = $1
            AND state IN ('waiting', 'running')
    )
    AND (
        SELECT count(*)
        FROM memories
        WHERE memories.agent_id = agents.agent_id AND superseded_by IS NULL
    ) > $2
LIMIT $3
