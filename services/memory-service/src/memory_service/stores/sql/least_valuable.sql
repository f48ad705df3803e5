-- What $1 has beyond $2 memories, the least valuable first, at most $4; never what is
-- pinned. First go those that a consolidation has put together; then what matters least
-- by now (its importance, halved for every $3 without use), weighed by how often it
-- was used.
SELECT id
FROM memories
WHERE agent_id = $1 AND superseded_by IS NULL AND NOT pinned
ORDER BY
    EXISTS (
        SELECT FROM sources
        WHERE
            sources.agent_id = $1
            AND sources.source_id = memories.id
            AND sources.consolidated
    ) DESC,
    CASE
        WHEN memory_type IN ('semantic', 'procedural') THEN importance
        ELSE
            importance * power(
                0.5,
                extract(EPOCH FROM now() - coalesce(last_accessed_at, created_at))
                / extract(EPOCH FROM $3::interval)
            )
    END * (1 + ln(1 + access_count)),
    seq
LIMIT least(
    greatest(
        (
            SELECT count(*) FROM memories WHERE agent_id = $1 AND superseded_by IS NULL
        ) - $2,
        0
    ),
    $4
)
