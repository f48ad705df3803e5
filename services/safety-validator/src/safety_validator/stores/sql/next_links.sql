SELECT
    w.anchor_seq, w.anchor_hash, w.anchor_seal, w.head_seq, w.head_hash, w.head_seal,
    d.id, d.agent_id, d.kind, d.stream, d.verdict, d.categories, d.content_digest,
    d.policy_version, d.created_at, d.writer_seq, d.prev_hash, d.hash
FROM writers AS w
LEFT JOIN LATERAL (
    SELECT *
    FROM decisions
    WHERE writer_id = w.id AND ($2::bigint IS NULL OR writer_seq > $2)
    ORDER BY writer_seq
    LIMIT $3
) AS d ON true
WHERE w.id = $1
ORDER BY d.writer_seq
