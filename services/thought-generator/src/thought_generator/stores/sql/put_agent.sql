-- New limits are asked anew.
WITH put AS (
    INSERT INTO agents (
        agent_id, persona, usd_per_day, tokens_per_day, near_limit, ladder, outage
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (agent_id) DO UPDATE
    SET
        persona = excluded.persona,
        usd_per_day = excluded.usd_per_day,
        tokens_per_day = excluded.tokens_per_day,
        near_limit = excluded.near_limit,
        ladder = excluded.ladder,
        outage = excluded.outage
    RETURNING (xmax = 0) AS created
),

asked_anew AS (
    UPDATE budgets SET refused = false WHERE agent_id = $1 AND refused
)

SELECT created FROM put
