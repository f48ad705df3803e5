SELECT
    id, d.agent_id, kind, stream, verdict, categories, content_digest, policy_version,
    created_at, writer_id, writer_seq, prev_hash, hash,
    octet_length(content) AS content_bytes
FROM unnest($6::text[]) AS wanted (agent_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM decisions
    WHERE
        decisions.agent_id = wanted.agent_id
        AND id < $1 AND id >= $2 AND created_at >= $3
        AND ($4::text IS NULL OR verdict = $4)
    ORDER BY id DESC
    LIMIT $5
) AS d
ORDER BY id DESC
LIMIT $5
