SELECT
    a.agent_id, a.persona, a.usd_per_day, a.tokens_per_day, a.paused,
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
    ) AS streams
FROM agents AS a
LEFT JOIN streams AS s ON s.agent_id = a.agent_id
WHERE
    a.agent_id > $1
    AND ($2::text [] IS NULL OR a.agent_id = ANY($2))
GROUP BY a.agent_id
ORDER BY a.agent_id
LIMIT $3
