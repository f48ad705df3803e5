-- Takes the past versions $2 of $1 out of the history of their memories, with what was
-- merged into each while it stood: after the version before it was kept.
WITH versions AS (
    SELECT
        version.superseded_by AS memory_id,
        version.content,
        version.seq,
        (
            SELECT coalesce(max(earlier.seq), 0)
            FROM memories AS earlier
            WHERE
                earlier.agent_id = $1
                AND earlier.superseded_by = version.superseded_by
                AND earlier.seq < version.seq
        ) AS since
    FROM memories AS version
    WHERE
        version.agent_id = $1
        AND version.id = ANY($2::uuid[])
        AND version.superseded_by IS NOT NULL
),
unmentioned AS (
    DELETE FROM mentions
    USING versions
    WHERE
        mentions.agent_id = $1
        AND mentions.memory_id = versions.memory_id
        AND mentions.seq > versions.since
        AND mentions.seq < versions.seq
)
DELETE FROM history
USING versions
WHERE
    history.agent_id = $1
    AND history.memory_id = versions.memory_id
    AND versions.content IN (history.before ->> 'content', history.after ->> 'content')
