-- Memories of $1 numbered above $2 and up to $3 that may have a word like $4 in them, in
-- order, at most $5; what is not plain ASCII may have it in another writing.
SELECT id, seq, content, metadata
FROM memories
WHERE
    agent_id = $1
    AND seq > $2
    AND seq <= $3
    AND (
        (content || metadata::text) ILIKE $4
        OR octet_length(content) <> char_length(content)
        OR octet_length(metadata::text) <> char_length(metadata::text)
    )
ORDER BY seq
LIMIT $5
