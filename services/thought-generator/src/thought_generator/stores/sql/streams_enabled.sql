SELECT count(*) AS streams_enabled
FROM streams AS s
JOIN agents AS a ON a.agent_id = s.agent_id
WHERE s.enabled AND NOT a.paused
