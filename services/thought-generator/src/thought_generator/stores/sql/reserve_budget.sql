-- Adds the worst case to the day's reservations if it still fits; no row if not.
WITH allowed AS (
    SELECT usd_per_day, tokens_per_day FROM agents WHERE agent_id = $1
),

reserved AS (
    INSERT INTO budgets AS b (agent_id, day, reserved_usd, reserved_tokens)
    SELECT $1, $2, $4, $5
    FROM allowed
    WHERE
        $4 <= usd_per_day AND (tokens_per_day IS NULL OR $5 <= tokens_per_day)
    ON CONFLICT (agent_id, day) DO UPDATE
    SET
        reserved_usd = b.reserved_usd + excluded.reserved_usd,
        reserved_tokens = b.reserved_tokens + excluded.reserved_tokens
    WHERE
        b.spent_usd + b.reserved_usd + excluded.reserved_usd
        <= (SELECT usd_per_day FROM allowed)
        AND (
            (SELECT tokens_per_day FROM allowed) IS NULL
            OR b.spent_tokens + b.reserved_tokens + excluded.reserved_tokens
            <= (SELECT tokens_per_day FROM allowed)
        )
    RETURNING b.agent_id
)

INSERT INTO reservations (agent_id, id, day, usd, tokens, expires_at)
SELECT agent_id, $3, $2, $4, $5, now() + $6::interval FROM reserved
RETURNING id
