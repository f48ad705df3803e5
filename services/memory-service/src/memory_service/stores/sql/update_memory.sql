-- Changes the memory $2 of $1 by its change $3, and notes what it was. New content has
-- a vector $10 and a digest $14; then what is read with it changes too.
WITH changed AS (
    UPDATE memories
    SET
        changed_seq = $3,
        updated_at = now(),
        content = $4,
        memory_type = $5,
        importance = $6,
        metadata = $7,
        pinned = $8,
        digest = coalesce($14, digest),
        -- New content has a whole verdict of its own.
        judged = judged OR $14 IS NOT NULL
    WHERE agent_id = $1 AND id = $2
    RETURNING seq
),
embedded AS (
    UPDATE embeddings
    SET model = $9, vector = $10
    WHERE agent_id = $1 AND memory_id = $2 AND $10::bytea IS NOT NULL
),
next AS (
    SELECT memory_id, $3 + row_number() OVER (ORDER BY seq) AS seq
    FROM embeddings
    WHERE
        agent_id = $1
        AND previous_seq IN (SELECT seq FROM changed)
        AND $10::bytea IS NOT NULL
),
touched AS (
    UPDATE memories
    SET changed_seq = next.seq
    FROM next
    WHERE memories.agent_id = $1 AND memories.id = next.memory_id
),
noted AS (
    INSERT INTO history (
        agent_id, memory_id, seq, changed_at, changed_by, before, after
    )
    VALUES ($1, $2, $3, now(), $11, $12, $13)
),
counted AS (
    UPDATE agents
    SET seq = greatest($3, (SELECT max(seq) FROM next))
    WHERE agent_id = $1
    RETURNING seq
)
SELECT seq, pg_notify('memory_changes', $1) FROM counted
