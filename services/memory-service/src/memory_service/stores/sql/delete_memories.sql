-- Deletes the memories $2 of $1 and what came of them; their ids stay taken.
WITH doomed AS MATERIALIZED (
    SELECT id
    FROM memories
    WHERE agent_id = $1 AND id = ANY($2::uuid[])
    -- In the order in which accesses are counted.
    ORDER BY seq
    FOR UPDATE
),
gone AS (
    DELETE FROM memories
    WHERE agent_id = $1 AND id IN (SELECT id FROM doomed)
    RETURNING id, seq
),
numbered AS (
    SELECT id, seq AS memory_seq, $3 + row_number() OVER (ORDER BY seq) AS seq
    FROM gone
),
unembedded AS (
    DELETE FROM embeddings
    WHERE agent_id = $1 AND memory_id IN (SELECT id FROM gone)
),
unwritten AS (
    DELETE FROM history
    WHERE agent_id = $1 AND memory_id IN (SELECT id FROM gone)
),
noted AS (
    INSERT INTO deletions (agent_id, memory_id, memory_seq, seq, deleted_at)
    SELECT $1, id, memory_seq, seq, now() FROM numbered
),
counted AS (
    UPDATE agents
    SET seq = (SELECT max(seq) FROM numbered)
    WHERE agent_id = $1 AND EXISTS (SELECT FROM numbered)
    RETURNING seq
)
SELECT seq, pg_notify('memory_changes', $1) FROM counted
