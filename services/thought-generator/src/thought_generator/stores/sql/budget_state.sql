SELECT
    a.usd_per_day,
    coalesce(b.spent_usd, 0) AS spent_usd,
    coalesce(b.reserved_usd, 0) AS reserved_usd,
    coalesce(b.spent_tokens, 0) AS tokens
FROM agents AS a
LEFT JOIN budgets AS b ON b.agent_id = a.agent_id AND b.day = $2
WHERE a.agent_id = $1
