-- Memories that stand under the ids given, ($1, $2) by pairs.
SELECT
    id, seq, agent_id, user_id, session_id, content, memory_type, importance,
    timestamp, created_at, updated_at, metadata, evidence, pinned, access_count,
    last_accessed_at, superseded_by, expires_at
FROM memories
INNER JOIN unnest($1::text[], $2::uuid[]) AS wanted (agent_id, id) USING (agent_id, id)
