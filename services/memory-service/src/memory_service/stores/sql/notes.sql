-- Entries of histories, and merged writes, of $1 that may have a word like $2 in them: at
-- most $5 after ($3, $4).
SELECT memory_id, seq, noted
FROM (
    SELECT memory_id, seq, jsonb_build_array(before, after) AS noted
    FROM history
    WHERE
        agent_id = $1
        AND ($3::uuid IS NULL OR (memory_id, seq) > ($3, $4::bigint))
        AND (
            (before::text || after::text) ILIKE $2
            OR octet_length(before::text || after::text)
            <> char_length(before::text || after::text)
        )
    UNION ALL
    SELECT memory_id, seq, jsonb_build_array(content, metadata) AS noted
    FROM mentions
    WHERE
        agent_id = $1
        AND ($3::uuid IS NULL OR (memory_id, seq) > ($3, $4::bigint))
        AND (
            (coalesce(content, '') || metadata::text) ILIKE $2
            OR octet_length(coalesce(content, '') || metadata::text)
            <> char_length(coalesce(content, '') || metadata::text)
        )
) AS notes
ORDER BY memory_id, seq
LIMIT $5
