INSERT INTO agents (agent_id, persona, usd_per_day, tokens_per_day)
VALUES ($1, $2, $3, $4)
ON CONFLICT (agent_id) DO UPDATE
SET
    persona = excluded.persona,
    usd_per_day = excluded.usd_per_day,
    tokens_per_day = excluded.tokens_per_day
RETURNING (xmax = 0) AS created
