-- Holds the job $2 of $1, at the epoch $3, for the time $4 from now on.
UPDATE jobs
SET lease_until = now() + $4::interval, progress = $5
WHERE agent_id = $1 AND id = $2 AND epoch = $3 AND state = 'running'
RETURNING epoch
