-- Whoever reserved is gone; the call may have been made, so it counts as made.
WITH dead AS (
    DELETE FROM reservations WHERE expires_at < now()
    RETURNING agent_id, day, usd, tokens
),

sums AS (
    SELECT agent_id, day, sum(usd) AS usd, sum(tokens)::bigint AS tokens
    FROM dead
    GROUP BY agent_id, day
)

UPDATE budgets AS b
SET
    reserved_usd = b.reserved_usd - sums.usd,
    reserved_tokens = b.reserved_tokens - sums.tokens,
    spent_usd = b.spent_usd + sums.usd,
    spent_tokens = b.spent_tokens + sums.tokens
FROM sums
WHERE b.agent_id = sums.agent_id AND b.day = sums.day
