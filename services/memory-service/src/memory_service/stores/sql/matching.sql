-- The numbers of $1's memories that meet all conditions, packed as big-endian bigints.
SELECT
    agent.seq AS agent_seq,
    (
        SELECT string_agg(int8send(seq), '')
        FROM memories
        WHERE
            agent_id = $1
            AND judged
            AND (expires_at IS NULL OR expires_at > now())
            AND ($2::text[] IS NULL OR memory_type = ANY($2))
            AND ($3::text IS NULL OR user_id = $3)
            AND ($4::text IS NULL OR session_id = $4)
            AND ($5::timestamptz IS NULL OR timestamp >= $5)
            AND ($6::timestamptz IS NULL OR timestamp <= $6)
            AND ($7::double precision IS NULL OR importance >= $7)
            AND ($8::jsonb IS NULL OR metadata @> $8)
            AND ($9::text[] IS NULL OR evidence = ANY($9))
    ) AS seqs
FROM agents AS agent
WHERE agent.agent_id = $1
