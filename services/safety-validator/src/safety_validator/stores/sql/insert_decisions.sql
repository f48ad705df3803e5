WITH inserted AS (
    INSERT INTO decisions (
        id, agent_id, kind, stream, verdict, categories,
        content_digest, content, policy_version, created_at,
        writer_id, writer_seq, prev_hash, hash
    )
    SELECT
        id, agent_id, kind, stream, verdict, categories::jsonb,
        content_digest, content, policy_version, created_at,
        $1, writer_seq, prev_hash, hash
    FROM unnest(
        $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::bytea[], $12::text[], $13::text[], $14::timestamptz[],
        $15::bigint[], $16::bytea[], $17::bytea[]
    ) AS told (
        id, agent_id, kind, stream, verdict, categories,
        content_digest, content, policy_version, created_at,
        writer_seq, prev_hash, hash
    )
    ON CONFLICT DO NOTHING
)

UPDATE writers SET head_seq = $2, head_hash = $3, head_seal = $4
WHERE id = $1::uuid AND head_seq < $2::bigint
