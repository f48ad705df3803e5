-- What is kept of how the thought $2 of $1 was made. An answer of the response cache is
-- traced to the thought that asked for it: as a rule the last one before with the same
-- digest, at most $3 places away. Of equal requests at once a later one may have asked.
SELECT
    t.explanation,
    t.heard,
    p.version,
    p.persona,
    p.instruction,
    p.rules,
    before.id AS before_id,
    before.seq AS before_seq,
    before.content AS before_content,
    origin.id AS cached_from
FROM thoughts AS t
LEFT JOIN prompts AS p ON p.agent_id = $1 AND p.digest = t.prompt_digest
LEFT JOIN thoughts AS before ON before.agent_id = $1 AND before.id = t.previous_id
LEFT JOIN LATERAL (
    SELECT asked.id
    FROM thoughts AS asked
    WHERE
        t.cached
        AND asked.agent_id = $1
        AND asked.position BETWEEN t.position - $3 AND t.position + $3
        AND asked.context_digest = t.context_digest
        AND asked.model = t.model
        AND NOT asked.cached
    ORDER BY asked.position > t.position, abs(asked.position - t.position)
    LIMIT 1
) AS origin ON true
WHERE t.agent_id = $1 AND t.id = $2
