-- Agents of which a rung of the ladder may be in force.
SELECT
    a.usd_per_day, a.tokens_per_day, a.near_limit, a.ladder, b.refused, u.used
FROM agents AS a
JOIN budgets AS b
    ON b.agent_id = a.agent_id AND b.day = (now() AT TIME ZONE 'utc')::date
CROSS JOIN LATERAL (
    SELECT
        budget_used(
            b.spent_usd + b.reserved_usd,
            a.usd_per_day,
            b.spent_tokens + b.reserved_tokens,
            a.tokens_per_day
        ) AS used
) AS u
WHERE b.refused OR u.used >= a.near_limit
