WITH due AS (
    SELECT agent_id, thought_id
    FROM outbox
    WHERE claimed_until < now()
    ORDER BY position
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),

claimed AS (
    UPDATE outbox AS o
    SET claimed_until = now() + $2::interval
    FROM due
    WHERE o.agent_id = due.agent_id AND o.thought_id = due.thought_id
    RETURNING o.agent_id, o.thought_id, o.verdict
)

SELECT
    t.agent_id,
    t.id,
    t.stream,
    t.seq,
    t.content,
    t.created_at,
    t.session_id,
    c.verdict,
    ARRAY(
        SELECT (memory ->> 'memory_id')::uuid
        FROM jsonb_array_elements(t.recalled) AS memory
    ) || array_remove(ARRAY[t.heard], NULL) AS sources
FROM claimed AS c
JOIN thoughts AS t ON t.agent_id = c.agent_id AND t.id = c.thought_id
ORDER BY t.position
