-- Stores memories with their vectors, counts the agents on and tells who listens.
WITH stored AS (
    INSERT INTO memories (
        agent_id, id, seq, changed_seq, user_id, session_id, content, memory_type,
        importance, timestamp, created_at, updated_at, metadata, evidence, pinned,
        expires_at, judged, digest
    )
    SELECT
        agent_id, id, seq, seq, user_id, session_id, content, memory_type,
        importance, timestamp, now(), now(), metadata, evidence, pinned,
        expires_at, judged, digest
    FROM unnest(
        $1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::double precision[], $9::timestamptz[], $10::jsonb[],
        $11::text[], $12::boolean[], $13::timestamptz[], $18::bytea[], $19::boolean[]
    ) AS fresh (
        agent_id, id, seq, user_id, session_id, content, memory_type, importance,
        timestamp, metadata, evidence, pinned, expires_at, digest, judged
    )
),
embedded AS (
    INSERT INTO embeddings (agent_id, memory_id, seq, model, vector, previous_seq)
    SELECT
        agent_id,
        memory_id,
        seq,
        $15,
        vector,
        coalesce(
            CASE
                WHEN timestamp - previous_timestamp BETWEEN '-1 day' AND '1 day'
                    THEN previous_seq
            END,
            -- A session that rested for a day begins anew.
            (
                SELECT max(memories.seq)
                FROM memories
                WHERE
                    memories.agent_id = fresh.agent_id
                    AND memories.session_id = fresh.session_id
                    AND memories.user_id IS NOT DISTINCT FROM fresh.user_id
                    AND (memories.evidence = 'thought') = fresh.thought
                    AND memories.superseded_by IS NULL
                    AND memories.timestamp > fresh.timestamp - interval '1 day'
                    AND memories.timestamp < fresh.timestamp + interval '1 day'
            )
        )
    FROM (
        SELECT
            *,
            lag(seq) OVER session AS previous_seq,
            lag(timestamp) OVER session AS previous_timestamp
        FROM (
            SELECT *, evidence = 'thought' AS thought
            FROM unnest(
                $1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[],
                $9::timestamptz[], $11::text[], $14::bytea[]
            ) AS drafts (
                agent_id, memory_id, seq, user_id, session_id, timestamp, evidence,
                vector
            )
        ) AS drafts
        WINDOW session AS (
            PARTITION BY
                agent_id, session_id, user_id, thought,
                CASE WHEN session_id IS NULL THEN seq END
            ORDER BY seq
        )
    ) AS fresh
),
counted AS (
    UPDATE agents
    SET seq = fresh.seq
    FROM unnest($16::text[], $17::bigint[]) AS fresh (agent_id, seq)
    WHERE agents.agent_id = fresh.agent_id
)
SELECT pg_notify('memory_changes', agent_id) FROM unnest($16::text[]) AS agent_id
