WITH gone AS (
    DELETE FROM replicas WHERE replica = $1
)

UPDATE streams SET owner = NULL WHERE owner = $1
