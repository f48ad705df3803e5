-- The newest change of the agent $1, and the history in which it is that.
SELECT
    coalesce((SELECT seq FROM agents WHERE agent_id = $1), 0) AS seq,
    timeline() AS timeline
