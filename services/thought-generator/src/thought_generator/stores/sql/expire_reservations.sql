-- Whoever reserved is gone; the call may have been made, so it counts as made. Days
-- that others hold are left for the next time.
WITH due AS (
    SELECT DISTINCT agent_id, day FROM reservations WHERE expires_at < now()
),

held AS (
    SELECT b.agent_id, b.day
    FROM due
    JOIN agents AS a ON a.agent_id = due.agent_id
    JOIN budgets AS b ON b.agent_id = due.agent_id AND b.day = due.day
    FOR KEY SHARE OF a SKIP LOCKED
    FOR UPDATE OF b SKIP LOCKED
),

dead AS (
    DELETE FROM reservations AS r
    USING held
    WHERE
        r.agent_id = held.agent_id AND r.day = held.day AND r.expires_at < now()
    RETURNING r.agent_id, r.day, r.usd, r.tokens
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
