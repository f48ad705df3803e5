-- Replaces a reservation by what was really used; nothing if it is settled already or
-- has expired. `commit_thought` does the same for a call that became a thought.
WITH today AS (
    SELECT b.day
    FROM agents AS a
    JOIN budgets AS b ON b.agent_id = a.agent_id
    WHERE a.agent_id = $1 AND b.day = $3
    FOR KEY SHARE OF a
    FOR UPDATE OF b
),

done AS (
    DELETE FROM reservations AS r
    USING today AS t
    WHERE r.agent_id = $1 AND r.id = $2 AND r.day = t.day
    RETURNING r.usd, r.tokens
)

UPDATE budgets AS b
SET
    reserved_usd = b.reserved_usd - done.usd,
    reserved_tokens = b.reserved_tokens - done.tokens,
    spent_usd = b.spent_usd + $4,
    spent_tokens = b.spent_tokens + $5
FROM done
WHERE b.agent_id = $1 AND b.day = $3
