-- Notes what memories were made from, ($1, $2, $3), and whether that was to
-- put them together for good ($4); a source is put together once.
INSERT INTO sources (agent_id, memory_id, source_id, consolidated)
SELECT agent_id, memory_id, source_id, consolidated
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::boolean[])
    AS fresh (agent_id, memory_id, source_id, consolidated)
ON CONFLICT (agent_id, memory_id, source_id) DO NOTHING
