-- Each memory goes into one consolidation at most, whoever runs it and however often.
ALTER TABLE sources ADD COLUMN consolidated boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX sources_consolidated ON sources (agent_id, source_id)
WHERE consolidated;

-- The newest of an agent's jobs says how far its memories have been looked at.
CREATE INDEX jobs_newest ON jobs (agent_id, kind, created_at DESC);
