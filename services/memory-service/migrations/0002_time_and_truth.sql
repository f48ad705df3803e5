-- Memories by month, past versions, provenance and tombstones.

-- Digests of an agent's values are keyed by it: equal values of two agents differ.
ALTER TABLE agents ADD COLUMN digest_key bytea NOT NULL DEFAULT sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);

-- Ids and numbers are unique within an agent by `embeddings`, which has a row for each
-- memory: a table by months can only guarantee it month by month.
ALTER TABLE embeddings ADD COLUMN seq bigint;
UPDATE embeddings
SET seq = memories.seq
FROM memories
WHERE memories.agent_id = embeddings.agent_id AND memories.id = embeddings.memory_id;
ALTER TABLE embeddings ALTER COLUMN seq SET NOT NULL;
ALTER TABLE embeddings ADD UNIQUE (agent_id, seq);

-- A month's partition is made ahead of it; `memories_other` has what lies before the
-- first of them.
CREATE TABLE memories_by_month (
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
    -- The memory whose past version this is; then `valid_until` says since when.
    superseded_by uuid,
    valid_until timestamptz,
    expires_at timestamptz,
    judged boolean NOT NULL,
    -- Of the normalised content, keyed by the agent; null until it is first written by
    -- a service that knows it.
    digest bytea,
    words tsvector NOT NULL GENERATED ALWAYS AS (
        agent_words(agent_id, content)
    ) STORED,
    PRIMARY KEY (agent_id, timestamp, id),
    CHECK ((superseded_by IS NULL) = (valid_until IS NULL))
) PARTITION BY RANGE (timestamp);
CREATE TABLE memories_other PARTITION OF memories_by_month DEFAULT WITH (fillfactor = 90);

INSERT INTO memories_by_month (
    agent_id, id, seq, changed_seq, user_id, session_id, content, memory_type,
    importance, timestamp, created_at, updated_at, metadata, evidence, pinned,
    access_count, last_accessed_at, expires_at, judged
)
SELECT
    agent_id, id, seq, changed_seq, user_id, session_id, content, memory_type,
    importance, timestamp, created_at, updated_at, metadata, evidence, pinned,
    access_count, last_accessed_at, expires_at, judged
FROM memories;
DROP TABLE memories;
ALTER TABLE memories_by_month RENAME TO memories;

-- For calls that name a memory and not its agent.
CREATE INDEX memories_ids ON memories (id, agent_id);
CREATE INDEX memories_seqs ON memories (agent_id, seq);
CREATE INDEX memories_changes ON memories (agent_id, changed_seq);
CREATE INDEX memories_newest ON memories (agent_id, timestamp DESC, seq DESC);
CREATE INDEX memories_types ON memories (agent_id, memory_type, importance DESC);
CREATE INDEX memories_users ON memories (agent_id, user_id)
WHERE user_id IS NOT NULL;
-- The newest of a session is the one that the next is embedded with.
CREATE INDEX memories_sessions ON memories (agent_id, session_id, seq)
WHERE session_id IS NOT NULL;
CREATE INDEX memories_versions ON memories (agent_id, superseded_by)
WHERE superseded_by IS NOT NULL;
CREATE INDEX memories_digests ON memories (agent_id, digest);
CREATE INDEX memories_expiry ON memories (expires_at, agent_id)
WHERE expires_at IS NOT NULL;
CREATE INDEX memories_metadata ON memories USING gin (metadata jsonb_path_ops)
WITH (fastupdate = off);
-- New words wait in a list that every recall searches from end to end: a short one, of
-- 64 kB, costs 0.2 ms there, and saves a third of a write and of what replicas are sent.
CREATE INDEX memories_words ON memories USING gin (words)
WITH (fastupdate = on, gin_pending_list_limit = 64);

-- What a memory was made from: the memories that a thought recalled, or those that a
-- consolidation put together. Deleting a source deletes what was made from it.
CREATE TABLE sources (
    agent_id text NOT NULL,
    memory_id uuid NOT NULL,
    source_id uuid NOT NULL,
    PRIMARY KEY (agent_id, memory_id, source_id)
);
CREATE INDEX sources_used ON sources (agent_id, source_id);

-- Writes that were merged into a memory that stood.
CREATE TABLE mentions (
    agent_id text NOT NULL,
    memory_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id text,
    session_id text,
    -- Null where it was the memory's own.
    content text,
    timestamp timestamptz NOT NULL,
    metadata jsonb NOT NULL,
    evidence text NOT NULL,
    merged_at timestamptz NOT NULL,
    PRIMARY KEY (agent_id, memory_id, id)
);

-- Values that must not come back: `deleted` ones by themselves, `forgotten` ones from
-- anybody. The value itself is not kept.
CREATE TABLE tombstones (
    agent_id text NOT NULL,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    kind text NOT NULL CHECK (kind IN ('deleted', 'forgotten')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (agent_id, id),
    UNIQUE (agent_id, digest)
);

-- Long work on one agent's memories; whoever runs a job holds its lease.
CREATE TABLE jobs (
    agent_id text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    -- Counted on by each that takes it; only the last may write to it.
    epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    progress jsonb NOT NULL DEFAULT '{}',
    result jsonb,
    error text,
    PRIMARY KEY (agent_id, id)
);
CREATE INDEX jobs_ids ON jobs (id, agent_id);
-- One of a kind at a time.
CREATE UNIQUE INDEX jobs_open ON jobs (agent_id, kind)
WHERE state IN ('waiting', 'running');
