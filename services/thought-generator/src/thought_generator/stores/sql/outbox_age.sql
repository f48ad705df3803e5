SELECT count(*) AS waiting, min(t.created_at) AS oldest
FROM outbox AS o
JOIN thoughts AS t ON t.agent_id = o.agent_id AND t.id = o.thought_id
