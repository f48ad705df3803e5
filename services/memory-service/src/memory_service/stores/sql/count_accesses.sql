-- Adds $3 accesses to the memories ($1, $2), but for those that somebody changes just
-- now: who waited for them with others in hand might be waited for in turn.
WITH accessed AS (
    SELECT memories.agent_id, memories.timestamp, memories.id, noted.accesses
    FROM memories
    INNER JOIN unnest($1::text[], $2::bigint[], $3::bigint[])
        AS noted (agent_id, seq, accesses) USING (agent_id, seq)
    FOR UPDATE OF memories SKIP LOCKED
)
UPDATE memories
SET access_count = memories.access_count + accessed.accesses, last_accessed_at = now()
FROM accessed
WHERE
    memories.agent_id = accessed.agent_id
    -- Leads to the one partition.
    AND memories.timestamp = accessed.timestamp
    AND memories.id = accessed.id
