-- The memories $2 of $1 have their whole verdict, and so are recalled from now on:
-- changes counted on from $3. Where a text had to be redacted $4, $5 and $6 are its
-- content, vector (of model $7) and digest; what it said before is kept nowhere.
WITH told AS (
    SELECT *
    FROM unnest($2::uuid[], $4::text[], $5::bytea[], $6::bytea[])
        AS told (id, content, vector, digest)
),
numbered AS (
    SELECT
        told.*,
        memories.seq AS memory_seq,
        $3 + row_number() OVER (ORDER BY memories.seq) AS seq
    FROM told
    INNER JOIN memories ON memories.agent_id = $1 AND memories.id = told.id
    WHERE NOT memories.judged
),
changed AS (
    UPDATE memories
    SET
        judged = true,
        changed_seq = numbered.seq,
        content = coalesce(numbered.content, memories.content),
        digest = coalesce(numbered.digest, memories.digest)
    FROM numbered
    WHERE memories.agent_id = $1 AND memories.id = numbered.id
),
embedded AS (
    UPDATE embeddings
    SET model = $7, vector = numbered.vector
    FROM numbered
    WHERE
        embeddings.agent_id = $1
        AND embeddings.memory_id = numbered.id
        AND numbered.vector IS NOT NULL
),
counted AS (
    UPDATE agents
    SET seq = (SELECT max(seq) FROM numbered)
    WHERE agent_id = $1 AND EXISTS (SELECT FROM numbered)
    RETURNING seq
)
SELECT seq, pg_notify('memory_changes', $1) FROM counted
