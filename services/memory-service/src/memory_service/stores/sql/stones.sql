-- The tombstones of values by their digests, ($1, $2) by pairs, and of phrases ($3, $4).
SELECT agent_id, id, kind, digest, phrase
FROM tombstones
INNER JOIN unnest($1::text[], $2::bytea[]) AS wanted (agent_id, digest)
    USING (agent_id, digest)
UNION
SELECT agent_id, id, kind, digest, phrase
FROM tombstones
INNER JOIN unnest($3::text[], $4::bytea[]) AS wanted (agent_id, phrase)
    USING (agent_id, phrase)
