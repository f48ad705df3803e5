-- Streams that should think and whose owner is gone; the epoch shuts the old one out.
WITH free AS (
    SELECT st.agent_id, st.stream
    FROM streams AS st
    JOIN agents AS a ON a.agent_id = st.agent_id
    WHERE
        st.enabled AND NOT a.paused
        -- No join: for a stream that was claimed a moment ago it would be asked again
        -- with the row of its old owner.
        AND (
            st.owner IS NULL
            OR st.owner NOT IN (
                SELECT r.replica FROM replicas AS r WHERE r.lease_until >= now()
            )
        )
    ORDER BY st.last_beat_at NULLS FIRST
    LIMIT $2
    FOR UPDATE OF st SKIP LOCKED
)

UPDATE streams AS s
SET owner = $1, epoch = s.epoch + 1
FROM free
WHERE s.agent_id = free.agent_id AND s.stream = free.stream
RETURNING
    s.agent_id, s.stream, s.epoch, s.interval_seconds, s.prompt, s.last_beat_at,
    s.dozing_since, now() AS asked_at
