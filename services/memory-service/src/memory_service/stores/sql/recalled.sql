-- Of $1's memories numbered $2 those that may be recalled, the best $7 of them.
--
-- `words` is the share of the words $4, which weigh $5, that a memory holds. Where $8, a
-- word in the turn before it in its session counts 0.6, and one in the turn after 0.4.
-- Memories are ordered by $3 + $6 * words, $3 being theirs one by one. Where $18, what
-- was put together from others, and names them in its metadata, takes no place from them
-- until half of them are gone.
--
-- What decides the costs is given by a subquery: a plan made for its values would be
-- cheaper to run, and by far dearer to make.
WITH given AS MATERIALIZED (
    SELECT $2::bigint[] AS seqs, $8::boolean AS has_sessions
)
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
    LEFT JOIN LATERAL (
        SELECT before.words
        FROM embeddings AS own
        INNER JOIN memories AS before
            ON
                before.agent_id = $1
                AND before.seq = own.previous_seq
                AND before.timestamp >= memories.timestamp - interval '1 day'
                AND before.timestamp <= memories.timestamp + interval '1 day'
        WHERE
            (SELECT has_sessions FROM given)
            AND memories.session_id IS NOT NULL
            AND own.agent_id = $1
            AND own.seq = memories.seq
            AND before.judged
        -- Keeps the search out of the way where $8 is false.
        LIMIT 1
    ) AS before ON true
    LEFT JOIN LATERAL (
        SELECT after.words
        FROM embeddings AS own
        INNER JOIN memories AS after
            ON
                after.agent_id = $1
                AND after.seq = own.seq
                AND after.timestamp >= memories.timestamp - interval '1 day'
                AND after.timestamp <= memories.timestamp + interval '1 day'
        WHERE
            (SELECT has_sessions FROM given)
            AND memories.session_id IS NOT NULL
            AND own.agent_id = $1
            AND own.previous_seq = memories.seq
            AND after.judged
        ORDER BY own.seq
        LIMIT 1
    ) AS after ON true
    CROSS JOIN LATERAL (
        SELECT
            sum(
                weight
                * CASE
                    WHEN memories.words @@ query THEN 1
                    WHEN before.words @@ query THEN 0.6
                    WHEN after.words @@ query THEN 0.4
                    ELSE 0
                END
            ) AS words
        FROM unnest($4::tsquery[], $5::double precision[]) AS word (query, weight)
    ) AS score
    WHERE
        agent_id = $1
        AND seq = ANY((SELECT seqs FROM given)::bigint[])
        AND judged
        AND ($17::boolean OR superseded_by IS NULL)
        AND (expires_at IS NULL OR expires_at > now())
        AND ($9::text[] IS NULL OR memory_type = ANY($9))
        AND ($10::text IS NULL OR user_id = $10)
        AND ($11::text IS NULL OR session_id = $11)
        AND ($12::timestamptz IS NULL OR timestamp >= $12)
        AND ($13::timestamptz IS NULL OR timestamp <= $13)
        AND ($14::double precision IS NULL OR importance >= $14)
        AND ($15::jsonb IS NULL OR metadata @> $15)
        AND ($16::text[] IS NULL OR evidence = ANY($16))
        AND NOT (
            $18::boolean
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
