SELECT
    coalesce(
        max(
            budget_used(
                b.spent_usd + b.reserved_usd,
                a.usd_per_day,
                b.spent_tokens + b.reserved_tokens,
                a.tokens_per_day
            )
        ),
        0
    ) AS budget_used_ratio
FROM agents AS a
JOIN budgets AS b
    ON b.agent_id = a.agent_id AND b.day = (now() AT TIME ZONE 'utc')::date
