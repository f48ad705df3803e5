-- Every key begins with the agent, so that the tables can be distributed by it.

-- One row an agent; `seq` is the number of its newest change. Whoever writes holds
-- this row until the commit, so numbers become visible in order and without a gap.
CREATE TABLE agents (
    agent_id text PRIMARY KEY,
    seq bigint NOT NULL
) WITH (fillfactor = 50);

-- The stemmed words of a text, each prefixed by a digest of the agent: one GIN index
-- then holds a list for each word of each agent, and reads nothing of the others.
CREATE FUNCTION agent_words(agent_id text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(ARRAY(
    SELECT left(encode(sha256(convert_to(agent_id, 'UTF8')), 'hex'), 8) || lexeme
    FROM unnest(
        tsvector_to_array(to_tsvector('pg_catalog.english', content))
    ) AS lexeme
));

-- `seq` is the change that made a memory, `changed_seq` its newest one.
CREATE TABLE memories (
    agent_id text NOT NULL,
    id uuid NOT NULL,
    seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    user_id text,
    session_id text,
    content text NOT NULL,
    memory_type text NOT NULL CHECK (
        memory_type IN ('working', 'episodic', 'semantic', 'procedural', 'thought')
    ),
    importance double precision NOT NULL CHECK (importance BETWEEN 0 AND 1),
    timestamp timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata jsonb NOT NULL,
    evidence text NOT NULL CHECK (
        evidence IN ('told', 'observed', 'inferred', 'thought')
    ),
    pinned boolean NOT NULL,
    access_count bigint NOT NULL DEFAULT 0,
    last_accessed_at timestamptz,
    superseded_by uuid,
    expires_at timestamptz,
    judged boolean NOT NULL,
    words tsvector NOT NULL GENERATED ALWAYS AS (
        agent_words(agent_id, content)
    ) STORED,
    PRIMARY KEY (agent_id, id),
    UNIQUE (agent_id, seq)
-- Room for counting accesses without touching an index.
) WITH (fillfactor = 90);

-- For calls that name a memory and not its agent.
CREATE INDEX memories_ids ON memories (id, agent_id);
CREATE INDEX memories_changes ON memories (agent_id, changed_seq);
CREATE INDEX memories_newest ON memories (agent_id, timestamp DESC, seq DESC);
CREATE INDEX memories_types ON memories (agent_id, memory_type, importance DESC);
CREATE INDEX memories_users ON memories (agent_id, user_id)
WHERE user_id IS NOT NULL;
CREATE INDEX memories_sessions ON memories (agent_id, session_id)
WHERE session_id IS NOT NULL;
CREATE INDEX memories_expiry ON memories (expires_at, agent_id)
WHERE expires_at IS NOT NULL;
CREATE INDEX memories_metadata ON memories USING gin (metadata jsonb_path_ops)
WITH (fastupdate = off);
-- A pending list would be searched from end to end by every recall.
CREATE INDEX memories_words ON memories USING gin (words) WITH (fastupdate = off);

-- Apart from the memories, so that loading an index reads vectors alone.
CREATE TABLE embeddings (
    agent_id text NOT NULL,
    memory_id uuid NOT NULL,
    model text NOT NULL,
    -- Little-endian float16.
    vector bytea NOT NULL,
    PRIMARY KEY (agent_id, memory_id)
);

-- What was deleted does not come back under its id.
CREATE TABLE deletions (
    agent_id text NOT NULL,
    memory_id uuid NOT NULL,
    memory_seq bigint NOT NULL,
    seq bigint NOT NULL,
    deleted_at timestamptz NOT NULL,
    PRIMARY KEY (agent_id, memory_id),
    UNIQUE (agent_id, seq)
);

CREATE TABLE history (
    agent_id text NOT NULL,
    memory_id uuid NOT NULL,
    seq bigint NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    PRIMARY KEY (agent_id, memory_id, seq)
);

-- `response` names memories and never holds their content, which may be deleted.
CREATE TABLE idempotency_keys (
    agent_id text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    response text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, operation, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at, agent_id);
