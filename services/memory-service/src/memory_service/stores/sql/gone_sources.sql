-- Those of the ids given, ($1, $2) by pairs, that somebody wanted gone.
SELECT agent_id, memory_id
FROM deletions
INNER JOIN unnest($1::text[], $2::uuid[]) AS wanted (agent_id, memory_id)
    USING (agent_id, memory_id)
WHERE deletions.wanted
