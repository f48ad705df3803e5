-- All that is kept of what the memories $2 of $1 and their past versions say, with what
-- was merged into them: into a past version while it stood.
WITH said AS MATERIALIZED (
    SELECT id, seq, superseded_by, content
    FROM memories
    WHERE
        agent_id = $1
        AND id IN (
            SELECT unnest($2::uuid[])
            UNION
            SELECT id
            FROM memories
            WHERE
                agent_id = $1
                AND superseded_by = ANY($2::uuid[])
                AND superseded_by IS NOT NULL
        )
)
SELECT
    id,
    coalesce(superseded_by, id) AS memory_id,
    superseded_by IS NOT NULL AS past,
    content
FROM said
UNION ALL
SELECT NULL AS id, memory_id, false AS past, content
FROM mentions
WHERE agent_id = $1 AND memory_id = ANY($2::uuid[]) AND content IS NOT NULL
UNION ALL
SELECT NULL AS id, mentions.memory_id, false AS past, mentions.content
FROM said
INNER JOIN mentions
    ON mentions.agent_id = $1 AND mentions.memory_id = said.superseded_by
WHERE
    said.superseded_by <> ALL($2::uuid[])
    AND mentions.content IS NOT NULL
    AND mentions.seq < said.seq
    AND mentions.seq > (
        SELECT coalesce(max(earlier.seq), 0)
        FROM memories AS earlier
        WHERE
            earlier.agent_id = $1
            AND earlier.superseded_by = said.superseded_by
            AND earlier.seq < said.seq
    )
