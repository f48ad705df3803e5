-- The agent's day so far, by the database's clock.
SELECT
    a.usd_per_day,
    a.tokens_per_day,
    a.near_limit,
    a.ladder,
    coalesce(b.spent_usd, 0) AS spent_usd,
    coalesce(b.reserved_usd, 0) AS reserved_usd,
    coalesce(b.spent_tokens, 0) AS tokens,
    coalesce(b.refused, false) AS refused,
    budget_used(
        b.spent_usd + b.reserved_usd,
        a.usd_per_day,
        b.spent_tokens + b.reserved_tokens,
        a.tokens_per_day
    ) AS used,
    (((now() AT TIME ZONE 'utc')::date + 1)::timestamp AT TIME ZONE 'utc') AS resets_at
FROM agents AS a
LEFT JOIN budgets AS b
    ON b.agent_id = a.agent_id AND b.day = (now() AT TIME ZONE 'utc')::date
WHERE a.agent_id = $1
