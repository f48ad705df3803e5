-- Stores memories with their vectors, counts the agents on and tells who listens.
WITH stored AS (
    INSERT INTO memories (
        agent_id, id, seq, changed_seq, user_id, session_id, content, memory_type,
        importance, timestamp, created_at, updated_at, metadata, evidence, pinned,
        expires_at, judged
    )
    SELECT
        agent_id, id, seq, seq, user_id, session_id, content, memory_type,
        importance, timestamp, now(), now(), metadata, evidence, pinned,
        expires_at, true
    FROM unnest(
        $1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::double precision[], $9::timestamptz[], $10::jsonb[],
        $11::text[], $12::boolean[], $13::timestamptz[]
    ) AS fresh (
        agent_id, id, seq, user_id, session_id, content, memory_type, importance,
        timestamp, metadata, evidence, pinned, expires_at
    )
),
embedded AS (
    INSERT INTO embeddings (agent_id, memory_id, model, vector)
    SELECT agent_id, memory_id, $15, vector
    FROM unnest($1::text[], $2::uuid[], $14::bytea[])
        AS fresh (agent_id, memory_id, vector)
),
counted AS (
    UPDATE agents
    SET seq = fresh.seq
    FROM unnest($16::text[], $17::bigint[]) AS fresh (agent_id, seq)
    WHERE agents.agent_id = fresh.agent_id
)
SELECT pg_notify('memory_changes', agent_id) FROM unnest($16::text[]) AS agent_id
