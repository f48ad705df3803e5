-- Which of the ids $2 any of the agents $1 knows: memories that stand, or were deleted.
-- By arrays, for pairs take ten times as long. Each id is looked for with each agent.
SELECT agent_id, memory_id, false AS deleted
FROM embeddings
WHERE agent_id = ANY($1::text[]) AND memory_id = ANY($2::uuid[])
UNION ALL
SELECT agent_id, memory_id, true AS deleted
FROM deletions
WHERE agent_id = ANY($1::text[]) AND memory_id = ANY($2::uuid[])
