-- Hands the job $2 of $1 over, if it is still held at the epoch $3.
UPDATE jobs
SET state = 'waiting', lease_until = NULL, progress = $4
WHERE agent_id = $1 AND id = $2 AND epoch = $3 AND state = 'running'
