-- A reply in a conversation, and the memory of the message that it replies to.
ALTER TABLE thoughts
ADD COLUMN session_id text,
ADD COLUMN heard uuid;
