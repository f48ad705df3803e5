-- A limit of 0 is meant so: there is nothing of it to use up.
SELECT
    coalesce(
        max(
            greatest(
                (b.spent_usd + b.reserved_usd) / nullif(a.usd_per_day, 0),
                (b.spent_tokens + b.reserved_tokens)::numeric
                / nullif(a.tokens_per_day, 0)
            )
        ),
        0
    ) AS budget_used_ratio
FROM agents AS a
JOIN budgets AS b
    ON b.agent_id = a.agent_id AND b.day = (now() AT TIME ZONE 'utc')::date
