-- What a thought was made from: the stable parts of prompts, each of them once.
CREATE TABLE prompts (
    agent_id text NOT NULL REFERENCES agents ON DELETE CASCADE,
    digest bytea NOT NULL,
    version text NOT NULL,
    persona text NOT NULL,
    instruction text NOT NULL,
    rules text NOT NULL,
    PRIMARY KEY (agent_id, digest)
);

-- What is volatile, by reference where it is kept elsewhere: text of memories is not
-- copied here, so that what is forgotten there is gone here too.
ALTER TABLE thoughts
ADD COLUMN prompt_digest bytea,
ADD COLUMN explanation jsonb;
