-- transactional: false
-- Made while thoughts are committed, however many there are. What a migration that was
-- cut off left of it is of no use, and one that an earlier form of 0005 made is the same.
DROP INDEX CONCURRENTLY IF EXISTS thoughts_session;
CREATE INDEX CONCURRENTLY thoughts_session
ON thoughts (agent_id, session_id, position) WHERE session_id IS NOT NULL;
