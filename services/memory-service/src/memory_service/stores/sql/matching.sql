-- The numbers of at most $10 memories of $1 that meet all conditions, packed as
-- big-endian bigints. Those that may not be recalled are left to `recalled.sql`: so an
-- index alone can answer for most conditions.
SELECT
    agent.seq AS agent_seq,
    (
        SELECT string_agg(int8send(seq), '')
        FROM (
            SELECT seq
            FROM memories
            WHERE
                agent_id = $1
                AND ($2::text[] IS NULL OR memory_type = ANY($2))
                AND ($3::text IS NULL OR user_id = $3)
                AND ($4::text IS NULL OR session_id = $4)
                AND ($5::timestamptz IS NULL OR timestamp >= $5)
                AND ($6::timestamptz IS NULL OR timestamp <= $6)
                AND ($7::double precision IS NULL OR importance >= $7)
                AND ($8::jsonb IS NULL OR metadata @> $8)
                AND ($9::text[] IS NULL OR evidence = ANY($9))
            LIMIT $10
        ) AS matching
    ) AS seqs
FROM agents AS agent
WHERE agent.agent_id = $1
