SELECT
    a.agent_id, a.persona, a.usd_per_day, a.tokens_per_day, a.near_limit, a.ladder,
    a.outage, a.paused, a.created_at,
    coalesce(
        jsonb_object_agg(
            s.stream,
            jsonb_build_object(
                'enabled', s.enabled,
                'interval_seconds', s.interval_seconds,
                'prompt', s.prompt
            )
        ) FILTER (WHERE s.stream IS NOT NULL),
        '{}'
    ) AS streams,
    -- A stream that nobody thinks has no gap.
    coalesce(
        jsonb_object_agg(
            s.stream,
            jsonb_build_object(
                'since', s.dozing_since,
                'problem', s.doze_problem,
                'until', CASE WHEN s.dozing_until > now() THEN s.dozing_until END
            )
        ) FILTER (WHERE s.dozing_since IS NOT NULL AND s.enabled AND NOT a.paused),
        '{}'
    ) AS dozing,
    coalesce(
        jsonb_object_agg(
            s.stream,
            jsonb_build_object('since', s.offline_since, 'problem', s.offline_problem)
        ) FILTER (WHERE s.offline_since IS NOT NULL AND s.enabled AND NOT a.paused),
        '{}'
    ) AS offline
FROM agents AS a
LEFT JOIN streams AS s ON s.agent_id = a.agent_id
WHERE
    a.agent_id > $1
    AND ($2::text [] IS NULL OR a.agent_id = ANY($2))
GROUP BY a.agent_id
ORDER BY a.agent_id
LIMIT $3
