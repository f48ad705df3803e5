SELECT
    s.agent_id, s.stream, s.epoch, s.interval_seconds, s.prompt, s.last_beat_at,
    s.dozing_since, now() AS asked_at
FROM streams AS s
JOIN agents AS a ON a.agent_id = s.agent_id
WHERE s.owner = $1 AND s.enabled AND NOT a.paused
