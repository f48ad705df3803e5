-- What was made from the memories $2 of $1, by which of them, and its past versions: a
-- page after ($3, $4).
SELECT
    made.id, made.memory_id, sources.source_id, made.evidence, made.content
FROM sources
CROSS JOIN LATERAL (
    SELECT id, id AS memory_id, evidence, content
    FROM memories
    WHERE agent_id = $1 AND id = sources.memory_id
    UNION ALL
    SELECT id, superseded_by AS memory_id, evidence, content
    FROM memories
    WHERE
        agent_id = $1
        AND superseded_by = sources.memory_id
        AND superseded_by IS NOT NULL
) AS made
WHERE
    sources.agent_id = $1
    AND sources.source_id = ANY($2::uuid[])
    AND ($3::uuid IS NULL OR (made.id, sources.source_id) > ($3, $4::uuid))
ORDER BY made.id, sources.source_id
LIMIT $5
