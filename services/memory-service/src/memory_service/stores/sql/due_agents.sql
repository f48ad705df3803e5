-- Agents with $2 new episodes or more, all of them older than $3, since their last job
-- of kind $1 that was done; without those that have one open, or had one that failed
-- within $4. At most $5, with what that job had looked at and what is to be.
SELECT agents.agent_id, coalesce(looked.until, 0) AS looked, settled.seq AS until
FROM agents
LEFT JOIN LATERAL (
    SELECT (progress ->> 'until')::bigint AS until
    FROM jobs
    WHERE jobs.agent_id = agents.agent_id AND kind = $1 AND state = 'done'
    ORDER BY created_at DESC
    LIMIT 1
) AS looked ON true
CROSS JOIN LATERAL (
    SELECT seq
    FROM memories
    WHERE memories.agent_id = agents.agent_id AND created_at <= now() - $3::interval
    ORDER BY seq DESC
    LIMIT 1
) AS settled
WHERE
    agents.seq >= coalesce(looked.until, 0) + $2
    AND NOT EXISTS (
        SELECT FROM jobs
        WHERE
            jobs.agent_id = agents.agent_id
            AND kind = $1
            AND (
                state IN ('waiting', 'running')
                OR (state = 'failed' AND ended_at > now() - $4::interval)
            )
    )
    AND (
        SELECT count(*)
        FROM (
            SELECT FROM memories
            WHERE
                memories.agent_id = agents.agent_id
                AND memories.seq > coalesce(looked.until, 0)
                AND memories.seq <= settled.seq
                AND memory_type = 'episodic'
                AND evidence IN ('told', 'observed')
                AND NOT pinned
                AND superseded_by IS NULL
                AND expires_at IS NULL
            LIMIT $2
        ) AS fresh
    ) = $2
LIMIT $5
