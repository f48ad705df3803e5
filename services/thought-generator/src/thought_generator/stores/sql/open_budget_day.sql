-- No row comes back when there is no such agent.
WITH mind AS (
    SELECT agent_id FROM agents WHERE agent_id = $1 FOR KEY SHARE
),

opened AS (
    INSERT INTO budgets (agent_id, day)
    SELECT agent_id, (now() AT TIME ZONE 'utc')::date FROM mind
    ON CONFLICT (agent_id, day) DO NOTHING
)

SELECT agent_id FROM mind
