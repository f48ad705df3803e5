SELECT
    id, agent_id, kind, stream, verdict, categories, content_digest, policy_version,
    created_at, writer_id, writer_seq, prev_hash, hash,
    octet_length(content) AS content_bytes
FROM decisions
WHERE
    id < $1 AND id >= $2 AND created_at >= $3
    AND ($4::text IS NULL OR verdict = $4)
ORDER BY id DESC
LIMIT $5
