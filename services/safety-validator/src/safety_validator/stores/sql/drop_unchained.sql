WITH gone AS (
    DELETE FROM decisions
    WHERE (agent_id, id) IN (
        SELECT agent_id, id
        FROM decisions
        WHERE (writer_id IS NULL OR writer_seq IS NULL) AND created_at < $1
        ORDER BY created_at
        LIMIT $2
    )
    RETURNING 1
)

SELECT count(*) AS count FROM gone
