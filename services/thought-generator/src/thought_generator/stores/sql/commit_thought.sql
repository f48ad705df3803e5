-- One round trip: place in the chain, place in the feed, thought, outbox row.
-- No row comes back when the stream is not there, the agent is paused or another
-- thinker has taken the lease ($3 is null for a thought on request). Whoever commits
-- for an agent holds its row, so feed positions and times follow commit order.
WITH mind AS (
    SELECT agent_id
    FROM agents
    WHERE agent_id = $1 AND ($3::bigint IS NULL OR NOT paused)
    FOR UPDATE
),

chain AS (
    UPDATE streams AS s
    SET
        last_seq = last_seq + 1,
        previous_id = last_id,
        last_id = $4,
        last_beat_at = CASE WHEN $3::bigint IS NULL THEN last_beat_at
            ELSE clock_timestamp() END
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
        timings_ms, stop_reason
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
        $15
    FROM chain, feed
    RETURNING seq, previous_id, position, created_at, timings_ms
),

delivery AS (
    INSERT INTO outbox (agent_id, thought_id, position, verdict)
    SELECT $1, $4, thought.position, $16 FROM thought
)

SELECT seq, previous_id, position, created_at, timings_ms FROM thought
