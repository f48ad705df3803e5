-- A reply in a conversation, and the memory of the message that it replies to.
ALTER TABLE thoughts
ADD COLUMN session_id text,
ADD COLUMN heard uuid;
CREATE INDEX thoughts_session ON thoughts (agent_id, session_id, position)
WHERE session_id IS NOT NULL;
