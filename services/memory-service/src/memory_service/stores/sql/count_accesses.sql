-- Adds $3 accesses to the memories ($1, $2). They are locked in one order, so that two
-- replicas that count the same memories never wait for each other.
WITH accessed AS (
    SELECT memories.agent_id, memories.id, noted.accesses
    FROM memories
    INNER JOIN unnest($1::text[], $2::bigint[], $3::bigint[])
        AS noted (agent_id, seq, accesses) USING (agent_id, seq)
    ORDER BY memories.agent_id, memories.seq
    FOR UPDATE OF memories
)
UPDATE memories
SET access_count = memories.access_count + accessed.accesses, last_accessed_at = now()
FROM accessed
WHERE memories.agent_id = accessed.agent_id AND memories.id = accessed.id
