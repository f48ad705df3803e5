-- Whether the job $2 of $1 is held at the epoch $3; it stays so until the commit.
SELECT epoch
FROM jobs
WHERE agent_id = $1 AND id = $2 AND epoch = $3 AND state = 'running'
FOR SHARE
