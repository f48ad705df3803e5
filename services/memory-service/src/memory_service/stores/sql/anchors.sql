-- How long the phrases are that begin with the anchors given, ($1, $2) by pairs.
SELECT DISTINCT agent_id, anchor, words
FROM tombstones
INNER JOIN unnest($1::text[], $2::bytea[]) AS wanted (agent_id, anchor)
    USING (agent_id, anchor)
