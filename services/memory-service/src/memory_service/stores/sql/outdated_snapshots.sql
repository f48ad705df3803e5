-- Which of the agents $1 are gone, or lost a memory after the changes $2, or had these
-- in another of the histories $3 than this one.
SELECT kept.agent_id
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS kept (agent_id, seq, timeline)
LEFT JOIN agents ON agents.agent_id = kept.agent_id
WHERE
    agents.agent_id IS NULL
    OR kept.timeline <> (SELECT timeline())
    OR EXISTS (
        SELECT FROM deletions
        WHERE deletions.agent_id = kept.agent_id AND deletions.seq > kept.seq
    )
