-- Changes memories into which others were merged, and notes what was merged.
WITH merged AS (
    UPDATE memories
    SET
        changed_seq = merge.seq,
        importance = merge.importance,
        pinned = merge.pinned,
        expires_at = merge.expires_at,
        access_count = merge.access_count,
        last_accessed_at = now(),
        updated_at = now()
    FROM unnest(
        $1::text[], $2::uuid[], $3::timestamptz[], $4::bigint[],
        $5::double precision[], $6::boolean[], $7::timestamptz[], $8::bigint[]
    ) AS merge (
        agent_id, id, timestamp, seq, importance, pinned, expires_at, access_count
    )
    WHERE
        memories.agent_id = merge.agent_id
        AND memories.timestamp = merge.timestamp
        AND memories.id = merge.id
)
INSERT INTO mentions (
    agent_id, memory_id, seq, id, user_id, session_id, content, timestamp, metadata,
    evidence, merged_by, merged_at
)
SELECT
    agent_id, memory_id, seq, id, user_id, session_id, content, timestamp, metadata,
    evidence, merged_by, now()
FROM unnest(
    $9::text[], $10::uuid[], $11::bigint[], $12::uuid[], $13::text[], $14::text[],
    $15::text[], $16::timestamptz[], $17::jsonb[], $18::text[], $19::text[]
) AS mention (
    agent_id, memory_id, seq, id, user_id, session_id, content, timestamp, metadata,
    evidence, merged_by
)
