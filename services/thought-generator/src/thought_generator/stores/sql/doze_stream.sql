-- No row comes back when the stream is no longer this replica's.
UPDATE streams
SET
    dozing_since = coalesce(dozing_since, now()),
    doze_problem = $5,
    dozing_until = now() + $6::interval,
    offline_since = NULL,
    offline_problem = NULL
WHERE agent_id = $1 AND stream = $2 AND epoch = $3 AND owner = $4
RETURNING dozing_since, dozing_until
