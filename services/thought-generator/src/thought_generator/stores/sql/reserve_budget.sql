-- Reserves the first offer that fits into the agent's day; `place`, from 0, is null
-- when none does. No row comes back when the day is not open yet. Whatever touches
-- money locks agent, day and reservation in this order, so that they never wait for
-- one another in a circle. The day is the database's.
WITH today AS (
    SELECT
        b.day,
        b.spent_usd + b.reserved_usd AS usd,
        b.spent_tokens + b.reserved_tokens AS tokens,
        a.usd_per_day,
        a.tokens_per_day,
        budget_used(
            b.spent_usd + b.reserved_usd,
            a.usd_per_day,
            b.spent_tokens + b.reserved_tokens,
            a.tokens_per_day
        ) AS used
    FROM agents AS a
    JOIN budgets AS b ON b.agent_id = a.agent_id
    WHERE a.agent_id = $1 AND b.day = (now() AT TIME ZONE 'utc')::date
    FOR KEY SHARE OF a
    FOR UPDATE OF b
),

chosen AS (
    SELECT o.place, o.usd, o.tokens
    FROM
        today AS t,
        unnest($3::numeric [], $4::bigint [], $5::double precision [])
        WITH ORDINALITY AS o (usd, tokens, below, place)
    WHERE
        (o.below IS NULL OR t.used < o.below)
        AND t.usd + o.usd <= t.usd_per_day
        AND (t.tokens_per_day IS NULL OR t.tokens + o.tokens <= t.tokens_per_day)
    ORDER BY o.place
    LIMIT 1
),

reserved AS (
    UPDATE budgets AS b
    SET
        reserved_usd = b.reserved_usd + coalesce(c.usd, 0),
        reserved_tokens = b.reserved_tokens + coalesce(c.tokens, 0),
        refused = c.place IS NULL
    FROM today AS t
    LEFT JOIN chosen AS c ON true
    WHERE
        b.agent_id = $1 AND b.day = t.day
        AND (c.place IS NOT NULL OR NOT b.refused)
),

reservation AS (
    INSERT INTO reservations (agent_id, id, day, usd, tokens, expires_at)
    SELECT $1, $2, t.day, c.usd, c.tokens, now() + $6::interval
    FROM today AS t, chosen AS c
)

SELECT
    t.day,
    t.used,
    extract(
        EPOCH FROM (t.day + 1)::timestamp AT TIME ZONE 'utc' - now()
    )::double precision AS resets_in_s,
    (c.place - 1)::int AS place
FROM today AS t
LEFT JOIN chosen AS c ON true
