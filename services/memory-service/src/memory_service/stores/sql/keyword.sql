-- The memories of $1 that hold rare words of $2, at most $5, best first; and the words
-- themselves, which `recalled.sql` looks for in whatever else is a candidate.
--
-- A word weighs its inverse document frequency among $3 memories. Each is looked up in
-- the index by itself, and at most $4 / words of its memories are visited. A word that
-- has more is common: it leads to no memory, unless $9, but counts in those found. The
-- common words $7 are known already, by the shares $8 of memories they are in, and not
-- looked up. How common a word is follows from how far into the agent's memories the
-- visited ones reach.
--
-- What decides the costs is given by a subquery: a plan made for its values would be
-- cheaper to run, and by far dearer to make.
WITH given AS MATERIALIZED (
    SELECT
        $4::integer AS visits,
        $7::text[] AS common,
        $8::double precision[] AS shares,
        $9::boolean AS deep
),
words AS MATERIALIZED (
    SELECT
        lexeme,
        substr(lexeme, 9) AS word,
        (
            '''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''''
        )::tsquery AS query,
        greatest((SELECT visits FROM given) / (count(*) OVER ())::integer, 1) AS visits
    FROM (
        SELECT lexeme
        FROM unnest(tsvector_to_array(agent_words($1, $2))) AS lexeme
        -- The longest words are the rarest, as a rule.
        ORDER BY length(lexeme) DESC, lexeme
        LIMIT $6
    ) AS chosen
),
known AS MATERIALIZED (
    SELECT word, share
    FROM given CROSS JOIN unnest(common, shares) AS known (word, share)
),
hits AS MATERIALIZED (
    SELECT words.lexeme, memory.seq, memory.meets
    FROM words
    LEFT JOIN known USING (word)
    CROSS JOIN LATERAL (
        SELECT
            seq,
            (
                judged
                AND ($18::boolean OR superseded_by IS NULL)
                AND (expires_at IS NULL OR expires_at > now())
                AND ($10::text[] IS NULL OR memory_type = ANY($10))
                AND ($11::text IS NULL OR user_id = $11)
                AND ($12::text IS NULL OR session_id = $12)
                AND ($13::timestamptz IS NULL OR timestamp >= $13)
                AND ($14::timestamptz IS NULL OR timestamp <= $14)
                AND ($15::double precision IS NULL OR importance >= $15)
                AND ($16::jsonb IS NULL OR metadata @> $16)
                AND ($17::text[] IS NULL OR evidence = ANY($17))
            ) AS meets
        FROM memories
        WHERE
            memories.words @@ words.query
            -- The words are the agent's already: no index on agents need be read.
            AND (agent_id = $1) IS TRUE
        LIMIT words.visits
    ) AS memory
    WHERE known.share IS NULL
),
agent AS (SELECT seq FROM agents WHERE agent_id = $1),
frequencies AS (
    SELECT
        words.lexeme,
        words.word,
        words.query,
        known.share IS NULL AND count(hits.seq) = words.visits AS reached,
        least(
            CASE
                WHEN known.share IS NOT NULL THEN known.share * $3
                WHEN count(hits.seq) < words.visits THEN count(hits.seq)
                ELSE
                    count(hits.seq)
                    * ((SELECT seq FROM agent)::double precision / max(hits.seq))
            END,
            $3
        ) AS memories,
        count(hits.seq) = words.visits OR known.share IS NOT NULL AS common
    FROM words
    LEFT JOIN known USING (word)
    LEFT JOIN hits USING (lexeme)
    GROUP BY words.lexeme, words.word, words.query, words.visits, known.share
),
weights AS MATERIALIZED (
    SELECT
        *,
        ln(1 + ($3 - memories + 0.5) / (memories + 0.5)) AS weight
    FROM frequencies
),
total AS MATERIALIZED (SELECT sum(weight) AS weight FROM weights),
-- Memories that hold all words, where no single word leads to them.
whole AS (
    SELECT memory.seq
    FROM (
        SELECT string_agg(query::text, ' & ')::tsquery AS query
        FROM weights
        HAVING (SELECT deep FROM given) AND count(*) > 1 AND bool_or(common)
    ) AS every
    CROSS JOIN LATERAL (
        SELECT
            seq,
            (
                judged
                AND ($18::boolean OR superseded_by IS NULL)
                AND (expires_at IS NULL OR expires_at > now())
                AND ($10::text[] IS NULL OR memory_type = ANY($10))
                AND ($11::text IS NULL OR user_id = $11)
                AND ($12::text IS NULL OR session_id = $12)
                AND ($13::timestamptz IS NULL OR timestamp >= $13)
                AND ($14::timestamptz IS NULL OR timestamp <= $14)
                AND ($15::double precision IS NULL OR importance >= $15)
                AND ($16::jsonb IS NULL OR metadata @> $16)
                AND ($17::text[] IS NULL OR evidence = ANY($17))
            ) AS meets
        FROM memories
        WHERE
            memories.words @@ every.query
            AND (agent_id = $1) IS TRUE
        LIMIT (SELECT visits FROM given)
    ) AS memory
    WHERE memory.meets
),
best AS (
    SELECT seq, least(sum(weight), max(most)) AS score
    FROM (
        SELECT
            hits.seq, weights.weight / total.weight AS weight, 1::double precision AS most
        FROM hits
        INNER JOIN weights USING (lexeme)
        CROSS JOIN total
        WHERE hits.meets AND ((SELECT deep FROM given) OR NOT weights.common)
        UNION ALL
        SELECT seq, 1, 1 FROM whole
    ) AS found
    GROUP BY seq
    ORDER BY least(sum(weight), max(most)) DESC, seq DESC
    LIMIT $5
)
SELECT
    agent.seq AS agent_seq,
    EXISTS (
        SELECT FROM embeddings WHERE agent_id = $1 AND previous_seq IS NOT NULL
    ) AS has_sessions,
    coalesce((SELECT array_agg(seq ORDER BY score DESC, seq DESC) FROM best), '{}')
        AS seqs,
    coalesce((SELECT array_agg(score ORDER BY score DESC, seq DESC) FROM best), '{}')
        AS scores,
    coalesce((SELECT array_agg(query::text ORDER BY lexeme) FROM weights), '{}')
        AS queries,
    coalesce(
        (
            SELECT array_agg(weights.weight / total.weight ORDER BY lexeme)
            FROM weights CROSS JOIN total
        ),
        '{}'
    ) AS weights,
    coalesce(
        (
            SELECT sum(weights.weight / total.weight)
            FROM weights CROSS JOIN total
            WHERE weights.common
        ),
        0
    ) AS common_weight,
    coalesce(
        (SELECT array_agg(word ORDER BY lexeme) FROM weights WHERE reached), '{}'
    ) AS common,
    coalesce(
        (SELECT array_agg(memories / $3 ORDER BY lexeme) FROM weights WHERE reached),
        '{}'
    ) AS shares
FROM agent
