-- What was inferred from the memories $2 of $1, and what was inferred from that.
WITH RECURSIVE inferred AS (
    SELECT memories.id
    FROM sources
    INNER JOIN memories
        ON memories.agent_id = $1 AND memories.id = sources.memory_id
    WHERE
        sources.agent_id = $1
        AND sources.source_id = ANY($2::uuid[])
        AND memories.evidence = 'inferred'
    UNION
    SELECT memories.id
    FROM inferred
    INNER JOIN sources ON sources.agent_id = $1 AND sources.source_id = inferred.id
    INNER JOIN memories
        ON memories.agent_id = $1 AND memories.id = sources.memory_id
    WHERE memories.evidence = 'inferred'
)
SELECT id FROM inferred WHERE id <> ALL($2::uuid[])
