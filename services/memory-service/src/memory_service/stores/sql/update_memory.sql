-- Changes the memory $2 of $1 by its change $3, and notes what it was.
WITH changed AS (
    UPDATE memories
    SET
        changed_seq = $3,
        updated_at = now(),
        content = $4,
        memory_type = $5,
        importance = $6,
        metadata = $7,
        pinned = $8
    WHERE agent_id = $1 AND id = $2
),
embedded AS (
    UPDATE embeddings
    SET model = $9, vector = $10
    WHERE agent_id = $1 AND memory_id = $2 AND $10::bytea IS NOT NULL
),
noted AS (
    INSERT INTO history (
        agent_id, memory_id, seq, changed_at, changed_by, before, after
    )
    VALUES ($1, $2, $3, now(), $11, $12, $13)
),
counted AS (
    UPDATE agents SET seq = $3 WHERE agent_id = $1
)
SELECT pg_notify('memory_changes', $1)
