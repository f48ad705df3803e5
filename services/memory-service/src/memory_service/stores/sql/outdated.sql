-- What the memories ($1, $2), by pairs, said before they were changed, and say now.
SELECT wanted.agent_id, wanted.memory_id, past.content AS was, memory.content AS now
FROM unnest($1::text[], $2::uuid[]) AS wanted (agent_id, memory_id)
INNER JOIN memories AS past
    ON
        past.agent_id = wanted.agent_id
        AND past.superseded_by = wanted.memory_id
        AND past.superseded_by IS NOT NULL
INNER JOIN memories AS memory
    ON memory.agent_id = wanted.agent_id AND memory.id = wanted.memory_id
