-- Ends the job $2 of $1 as $4, if it is still held at the epoch $3.
UPDATE jobs
SET
    state = $4,
    ended_at = now(),
    lease_until = NULL,
    progress = $5,
    result = $6,
    error = $7
WHERE agent_id = $1 AND id = $2 AND epoch = $3 AND state = 'running'
