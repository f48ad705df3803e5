INSERT INTO decisions (
    id, agent_id, kind, stream, verdict, categories,
    content_digest, policy_version, created_at
)
SELECT
    id, agent_id, kind, stream, verdict, categories::jsonb,
    content_digest, policy_version, created_at
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::bytea[], $8::text[], $9::timestamptz[]
) AS told (
    id, agent_id, kind, stream, verdict, categories,
    content_digest, policy_version, created_at
)
ON CONFLICT DO NOTHING
