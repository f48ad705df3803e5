-- What an agent's streams do while the model is out.

ALTER TABLE agents
ADD COLUMN outage text NOT NULL DEFAULT 'doze' CHECK (outage IN ('doze', 'offline'));

-- Since when the offline engine thinks a stream for it, and which problem was met last;
-- the next thought of the model ends it.
ALTER TABLE streams
ADD COLUMN offline_since timestamptz,
ADD COLUMN offline_problem text;
