-- `recalled.sql` for agents without sessions, at two thirds of its cost: no turn has
-- another before or after it. The same parameters but for $8.
WITH given AS MATERIALIZED (SELECT $2::bigint[] AS seqs)
SELECT
    agent.seq AS agent_seq, count(memory.id) OVER () AS standing, memory.*
FROM agents AS agent
LEFT JOIN LATERAL (
    SELECT
        score.words,
        id, seq, agent_id, user_id, session_id, content, memory_type, importance,
        timestamp, created_at, updated_at, metadata, evidence, pinned, access_count,
        last_accessed_at, superseded_by, expires_at
    FROM memories
    CROSS JOIN LATERAL (
        SELECT sum(CASE WHEN memories.words @@ query THEN weight ELSE 0 END) AS words
        FROM unnest($4::tsquery[], $5::double precision[]) AS word (query, weight)
    ) AS score
    WHERE
        agent_id = $1
        AND seq = ANY((SELECT seqs FROM given)::bigint[])
        AND judged
        AND ($16::boolean OR superseded_by IS NULL)
        AND (expires_at IS NULL OR expires_at > now())
        AND ($8::text[] IS NULL OR memory_type = ANY($8))
        AND ($9::text IS NULL OR user_id = $9)
        AND ($10::text IS NULL OR session_id = $10)
        AND ($11::timestamptz IS NULL OR timestamp >= $11)
        AND ($12::timestamptz IS NULL OR timestamp <= $12)
        AND ($13::double precision IS NULL OR importance >= $13)
        AND ($14::jsonb IS NULL OR metadata @> $14)
        AND ($15::text[] IS NULL OR evidence = ANY($15))
        AND NOT (
            $17::boolean
            AND evidence = 'inferred'
            AND CASE jsonb_typeof(metadata -> 'sources')
                WHEN 'array' THEN jsonb_array_length(metadata -> 'sources') < (
                    SELECT 2 * count(*)
                    FROM sources
                    WHERE sources.agent_id = $1 AND sources.memory_id = memories.id
                )
                ELSE false
            END
        )
) AS memory ON true
WHERE agent.agent_id = $1
ORDER BY
    ($3::double precision[])[array_position($2::bigint[], memory.seq)]
    + $6 * coalesce(memory.words, 0) DESC NULLS LAST,
    memory.seq DESC
LIMIT $7
