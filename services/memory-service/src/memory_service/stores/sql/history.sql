-- A page of the changes of the memory $2 of $1, newest first, that begins after ($3, $4).
SELECT seq, kind, changed_at, changed_by, before, after
FROM (
    SELECT seq, 'changed' AS kind, changed_at, changed_by, before, after
    FROM history
    WHERE agent_id = $1 AND memory_id = $2
    UNION ALL
    SELECT
        seq,
        'merged' AS kind,
        merged_at AS changed_at,
        merged_by AS changed_by,
        '{}' AS before,
        jsonb_strip_nulls(jsonb_build_object(
            'id', id,
            'user_id', user_id,
            'session_id', session_id,
            'content', content,
            'timestamp', timestamp,
            'evidence', evidence
        )) || jsonb_build_object('metadata', metadata) AS after
    FROM mentions
    WHERE agent_id = $1 AND memory_id = $2
) AS revisions
WHERE (seq, kind) < ($3::bigint, $4::text)
ORDER BY seq DESC, kind DESC
LIMIT $5
