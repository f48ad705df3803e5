-- The memories of $1 that share terms with $2, best first, at most $5 of them.
--
-- A memory's score is the share of the query's terms it holds, each word weighing its
-- inverse document frequency ($3 memories in all), a little less for long memories.
-- Each word is looked up in the index by itself and at most $4 / terms of its memories
-- are visited; how common a word is that has more follows from how far into the agent's
-- memories the visited ones reach. Those terms are then looked for in the best alone.
WITH terms AS MATERIALIZED (
    SELECT
        lexeme,
        (
            '''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''''
        )::tsquery AS query,
        greatest($4 / (count(*) OVER ())::integer, 1) AS visits
    FROM (
        SELECT lexeme
        FROM unnest(tsvector_to_array(agent_words($1, $2))) AS lexeme
        -- The longest terms are the rarest, as a rule.
        ORDER BY length(lexeme) DESC, lexeme
        LIMIT $6
    ) AS chosen
),
hits AS MATERIALIZED (
    SELECT terms.lexeme, memory.seq, memory.length
    FROM terms
    CROSS JOIN LATERAL (
        SELECT seq, length(words) AS length
        FROM memories
        WHERE
            memories.words @@ terms.query
            -- The terms are the agent's already: no index on agents need be read.
            AND (agent_id = $1) IS TRUE
            AND judged
            AND (expires_at IS NULL OR expires_at > now())
            AND ($7::text[] IS NULL OR memory_type = ANY($7))
            AND ($8::text IS NULL OR user_id = $8)
            AND ($9::text IS NULL OR session_id = $9)
            AND ($10::timestamptz IS NULL OR timestamp >= $10)
            AND ($11::timestamptz IS NULL OR timestamp <= $11)
            AND ($12::double precision IS NULL OR importance >= $12)
            AND ($13::jsonb IS NULL OR metadata @> $13)
            AND ($14::text[] IS NULL OR evidence = ANY($14))
        LIMIT terms.visits
    ) AS memory
),
agent AS (SELECT seq FROM agents WHERE agent_id = $1),
frequencies AS (
    SELECT
        terms.lexeme,
        terms.query,
        count(hits.seq) = terms.visits AS common,
        least(
            CASE
                WHEN count(hits.seq) < terms.visits THEN count(hits.seq)
                ELSE
                    count(hits.seq)
                    * ((SELECT seq FROM agent)::double precision / max(hits.seq))
            END,
            $3::double precision
        ) AS memories
    FROM terms
    LEFT JOIN hits USING (lexeme)
    GROUP BY terms.lexeme, terms.query, terms.visits
),
weights AS MATERIALIZED (
    SELECT
        lexeme, query, common, ln(1 + ($3 - memories + 0.5) / (memories + 0.5)) AS weight
    FROM frequencies
),
best AS (
    SELECT hits.seq, sum(weight) AS weight, min(length) AS length
    FROM hits
    INNER JOIN weights USING (lexeme)
    GROUP BY hits.seq
    ORDER BY sum(weight) DESC, hits.seq DESC
    LIMIT $5
),
scored AS (
    SELECT
        seq,
        CASE
            WHEN EXISTS (SELECT FROM weights WHERE common) THEN (
                SELECT sum(weights.weight)
                FROM memories
                INNER JOIN weights ON memories.words @@ weights.query
                WHERE memories.agent_id = $1 AND memories.seq = best.seq
            )
            ELSE weight
        END
        / (SELECT sum(weight) FROM weights)
        / greatest(1, 0.9 + 0.1 * length / 32) AS score
    FROM best
)
SELECT
    agent.seq AS agent_seq,
    coalesce((SELECT array_agg(seq ORDER BY score DESC) FROM scored), '{}') AS seqs,
    coalesce((SELECT array_agg(score ORDER BY score DESC) FROM scored), '{}') AS scores
FROM agent
