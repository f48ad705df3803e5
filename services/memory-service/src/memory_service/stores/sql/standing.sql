-- Memories that stand under the ids given, ($1, $2) by pairs. An id is looked up in the
-- table that is not cut into months.
SELECT
    memories.id, seq, agent_id, user_id, session_id, content, memory_type, importance,
    timestamp, created_at, updated_at, metadata, evidence, pinned, access_count,
    last_accessed_at, superseded_by, expires_at
FROM embeddings
INNER JOIN unnest($1::text[], $2::uuid[]) AS wanted (agent_id, memory_id)
    USING (agent_id, memory_id)
INNER JOIN memories USING (agent_id, seq)
