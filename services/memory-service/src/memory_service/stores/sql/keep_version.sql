-- Keeps what the memory $2 of $1 says until now as a memory $3 of its own, numbered $4.
-- It was valid since the version before it ended.
WITH begun AS (
    SELECT max(valid_until) AS at
    FROM memories
    WHERE agent_id = $1 AND superseded_by = $2
),
kept AS (
    INSERT INTO memories (
        agent_id, id, seq, changed_seq, user_id, session_id, content, memory_type,
        importance, timestamp, created_at, updated_at, metadata, evidence, pinned,
        superseded_by, valid_until, expires_at, judged, digest
    )
    SELECT
        agent_id, $3, $4, $4, user_id, session_id, content, memory_type,
        importance, coalesce(begun.at, timestamp), coalesce(begun.at, created_at), now(),
        metadata, evidence, pinned, id, now(), expires_at, judged, digest
    FROM memories CROSS JOIN begun
    WHERE agent_id = $1 AND id = $2
)
INSERT INTO embeddings (agent_id, memory_id, seq, model, vector)
SELECT agent_id, $3, $4, model, vector
FROM embeddings
WHERE agent_id = $1 AND memory_id = $2
