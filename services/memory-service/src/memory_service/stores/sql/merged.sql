-- Which of the writes $3 were merged into the memories $2 of the agents $1, and by which
-- changes.
SELECT agent_id, memory_id, id, seq
FROM mentions
WHERE
    agent_id = ANY($1::text[])
    AND memory_id = ANY($2::uuid[])
    AND id = ANY($3::uuid[])
