-- One round trip: place in the chain, place in the feed, thought, outbox row.
-- No row comes back when the stream is not there, the agent is paused or another
-- thinker has taken the lease ($3 is null for a thought on request), or when the agent
-- was removed and made anew since its birth $30. Whoever commits
-- for an agent holds its row, so feed positions and times follow commit order. A weaker
-- lock makes commits wait for each other in a circle, since the row is updated later on.
-- What a committed thought cost is settled with it ($17 is null where it cost nothing).
-- $29 is the problem for which the offline engine stepped in, null where it did not.
WITH mind AS (
    SELECT agent_id
    FROM agents
    WHERE
        agent_id = $1
        AND ($3::bigint IS NULL OR NOT paused)
        AND ($30::timestamptz IS NULL OR created_at = $30)
    FOR UPDATE
),

chain AS (
    UPDATE streams AS s
    SET
        last_seq = last_seq + 1,
        previous_id = last_id,
        last_id = $4,
        last_beat_at = CASE WHEN $3::bigint IS NULL THEN last_beat_at
            ELSE clock_timestamp() END,
        dozing_since = CASE WHEN $3::bigint IS NULL THEN dozing_since END,
        doze_problem = CASE WHEN $3::bigint IS NULL THEN doze_problem END,
        dozing_until = CASE WHEN $3::bigint IS NULL THEN dozing_until END,
        offline_since = CASE WHEN $3::bigint IS NULL THEN offline_since
            WHEN $29::text IS NOT NULL
                THEN coalesce(offline_since, clock_timestamp()) END,
        offline_problem = CASE WHEN $3::bigint IS NULL THEN offline_problem
            ELSE $29 END
    FROM mind
    WHERE
        s.agent_id = mind.agent_id AND s.stream = $2
        AND ($3::bigint IS NULL OR (s.epoch = $3 AND s.owner = $5 AND s.enabled))
    RETURNING s.last_seq, s.previous_id
),

feed AS (
    UPDATE agents AS a
    SET position = position + 1
    FROM chain
    WHERE a.agent_id = $1
    RETURNING a.position
),

thought AS (
    INSERT INTO thoughts (
        agent_id, id, stream, seq, previous_id, position, content, created_at,
        engine, model, cached, context_digest, recalled, safety, usage,
        timings_ms, stop_reason, session_id, heard, prompt_digest, explanation
    )
    SELECT
        $1, $4, $2, chain.last_seq, chain.previous_id, feed.position, $6,
        clock_timestamp(), $7, $8, $9, $10, $11, $12, $13,
        $14::jsonb || (
            SELECT jsonb_build_object(
                'store', round(stored_ms, 3),
                'total', round(($14::jsonb ->> 'total')::numeric + stored_ms, 3)
            )
            FROM (
                SELECT (
                    extract(EPOCH FROM clock_timestamp() - statement_timestamp())
                    * 1000
                )::numeric AS stored_ms
            ) AS clock
        ),
        $15, $21, $22, $23, $24
    FROM chain, feed
    RETURNING seq, previous_id, position, created_at, safety, usage, timings_ms
),

stable AS (
    INSERT INTO prompts (agent_id, digest, version, persona, instruction, rules)
    SELECT $1, $23, $25, $26, $27, $28
    FROM chain
    WHERE $23::bytea IS NOT NULL
    ON CONFLICT DO NOTHING
),

delivery AS (
    INSERT INTO outbox (agent_id, thought_id, position, verdict)
    SELECT $1, $4, thought.position, $16 FROM thought
),

today AS (
    SELECT b.day
    FROM budgets AS b, thought
    WHERE b.agent_id = $1 AND b.day = $18
    FOR UPDATE OF b
),

paid AS (
    DELETE FROM reservations AS r
    USING today
    WHERE r.agent_id = $1 AND r.id = $17 AND r.day = today.day
    RETURNING r.usd, r.tokens
),

booked AS (
    UPDATE budgets AS b
    SET
        reserved_usd = b.reserved_usd - paid.usd,
        reserved_tokens = b.reserved_tokens - paid.tokens,
        spent_usd = b.spent_usd + $19,
        spent_tokens = b.spent_tokens + $20
    FROM paid
    WHERE b.agent_id = $1 AND b.day = $18
)

SELECT seq, previous_id, position, created_at, safety, usage, timings_ms FROM thought
