-- Those of the memories $2 of $1 that stand as they did at the agent's change $3.
SELECT id
FROM memories
WHERE
    agent_id = $1
    AND id = ANY($2::uuid[])
    AND superseded_by IS NULL
    AND changed_seq <= $3
