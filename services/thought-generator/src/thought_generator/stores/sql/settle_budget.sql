-- Replaces a reservation by what was really used.
WITH done AS (
    DELETE FROM reservations
    WHERE agent_id = $1 AND id = $2
    RETURNING agent_id, day, usd, tokens
)

UPDATE budgets AS b
SET
    reserved_usd = b.reserved_usd - done.usd,
    reserved_tokens = b.reserved_tokens - done.tokens,
    spent_usd = b.spent_usd + $3,
    spent_tokens = b.spent_tokens + $4
FROM done
WHERE b.agent_id = done.agent_id AND b.day = done.day
