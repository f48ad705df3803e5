-- What an agent does when its budget runs out.

ALTER TABLE agents
ADD COLUMN near_limit double precision NOT NULL DEFAULT 0.8,
ADD COLUMN ladder text [] NOT NULL DEFAULT '{slower,cheaper,sleep}';

-- Whether the call that was asked for last no longer fitted into the day.
ALTER TABLE budgets ADD COLUMN refused boolean NOT NULL DEFAULT false;

-- The part of a day's limits that is used, of the one more used. A limit of 0 is meant
-- so: there is nothing of it to use up.
CREATE FUNCTION budget_used(
    usd numeric, usd_limit numeric, tokens bigint, tokens_limit bigint
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        greatest(usd / nullif(usd_limit, 0), tokens::numeric / nullif(tokens_limit, 0)),
        0
    )::double precision
$$;
