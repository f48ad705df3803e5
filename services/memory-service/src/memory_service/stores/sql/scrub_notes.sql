-- Deletes entries of histories, and merged writes, of $1, by ($2, $3).
WITH unwritten AS (
    DELETE FROM history
    USING unnest($2::uuid[], $3::bigint[]) AS note (memory_id, seq)
    WHERE
        history.agent_id = $1
        AND history.memory_id = note.memory_id
        AND history.seq = note.seq
)
DELETE FROM mentions
USING unnest($2::uuid[], $3::bigint[]) AS note (memory_id, seq)
WHERE
    mentions.agent_id = $1
    AND mentions.memory_id = note.memory_id
    AND mentions.seq = note.seq
