-- Streams that should think and whose owner is gone; the epoch shuts the old one out.
UPDATE streams AS s
SET owner = $1, epoch = s.epoch + 1
FROM (
    SELECT st.agent_id, st.stream
    FROM streams AS st
    JOIN agents AS a ON a.agent_id = st.agent_id
    LEFT JOIN replicas AS r ON r.replica = st.owner
    WHERE
        st.enabled AND NOT a.paused
        AND (r.replica IS NULL OR r.lease_until < now())
    ORDER BY st.last_beat_at NULLS FIRST
    LIMIT $2
    FOR UPDATE OF st SKIP LOCKED
) AS free
WHERE s.agent_id = free.agent_id AND s.stream = free.stream
