-- Puts values of $1 under tombstones of the kind $2. One that is forgotten stays so.
-- Anchors have at most $8 words; the agent's row tells which lengths there are.
WITH buried AS (
    INSERT INTO tombstones (
        agent_id, id, digest, phrase, anchor, words, kind, created_at, created_by
    )
    SELECT $1, id, digest, phrase, anchor, words, $2, now(), $3
    FROM unnest($9::uuid[], $4::bytea[], $5::bytea[], $6::bytea[], $7::integer[])
        AS value (id, digest, phrase, anchor, words)
    ON CONFLICT (agent_id, digest, phrase) DO UPDATE
    SET kind = 'forgotten'
    WHERE excluded.kind = 'forgotten'
)
UPDATE agents
SET anchor_lengths = ARRAY(
    SELECT length
    FROM (
        SELECT unnest(anchor_lengths) AS length
        UNION
        SELECT least(words, $8::integer)
        FROM unnest($7::integer[]) AS words
        WHERE words IS NOT NULL
    ) AS lengths
    ORDER BY length
)
WHERE agent_id = $1
