-- Minds, their streams, what they thought, and what it cost.

CREATE TABLE agents (
    agent_id text PRIMARY KEY,
    persona text NOT NULL,
    usd_per_day numeric(14, 6) NOT NULL,
    tokens_per_day bigint,
    paused boolean NOT NULL DEFAULT false,
    -- Of the last thought in the agent's feed: counts without a gap, in commit order.
    position bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A replica that thinks; its streams are free once this has run out.
CREATE TABLE replicas (
    replica text PRIMARY KEY,
    lease_until timestamptz NOT NULL
);

CREATE TABLE streams (
    agent_id text NOT NULL REFERENCES agents ON DELETE CASCADE,
    stream text NOT NULL,
    enabled boolean NOT NULL,
    interval_seconds double precision NOT NULL,
    prompt text,
    -- The chain: its last thought and the one before.
    last_seq bigint NOT NULL DEFAULT 0,
    last_id uuid,
    previous_id uuid,
    -- The lease: a commit that carries an older epoch is refused.
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    last_beat_at timestamptz,
    PRIMARY KEY (agent_id, stream)
);
CREATE INDEX streams_owner ON streams (owner);

CREATE TABLE thoughts (
    agent_id text NOT NULL REFERENCES agents ON DELETE CASCADE,
    id uuid NOT NULL,
    stream text NOT NULL,
    seq bigint NOT NULL,
    previous_id uuid,
    position bigint NOT NULL,
    content text NOT NULL,
    created_at timestamptz NOT NULL,
    engine text NOT NULL,
    model text NOT NULL,
    cached boolean NOT NULL,
    context_digest text NOT NULL,
    recalled jsonb NOT NULL,
    safety jsonb NOT NULL,
    usage jsonb NOT NULL,
    timings_ms jsonb NOT NULL,
    stop_reason text NOT NULL,
    PRIMARY KEY (agent_id, id),
    UNIQUE (agent_id, stream, seq),
    UNIQUE (agent_id, position)
);
CREATE INDEX thoughts_id ON thoughts (id);

-- Thoughts on their way to memory, written in the transaction that made them.
CREATE TABLE outbox (
    agent_id text NOT NULL,
    thought_id uuid NOT NULL,
    position bigint NOT NULL,
    verdict jsonb,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (agent_id, thought_id),
    FOREIGN KEY (agent_id, thought_id) REFERENCES thoughts ON DELETE CASCADE
);

CREATE TABLE budgets (
    agent_id text NOT NULL REFERENCES agents ON DELETE CASCADE,
    day date NOT NULL,
    spent_usd numeric(20, 9) NOT NULL DEFAULT 0,
    reserved_usd numeric(20, 9) NOT NULL DEFAULT 0,
    spent_tokens bigint NOT NULL DEFAULT 0,
    reserved_tokens bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (agent_id, day)
);

CREATE TABLE reservations (
    agent_id text NOT NULL REFERENCES agents ON DELETE CASCADE,
    id uuid NOT NULL,
    day date NOT NULL,
    usd numeric(20, 9) NOT NULL,
    tokens bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (agent_id, id)
);
CREATE INDEX reservations_expires_at ON reservations (expires_at);

CREATE TABLE idempotency_keys (
    agent_id text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    response text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, operation, key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

INSERT INTO agents (agent_id, persona, usd_per_day) VALUES (
    'default',
    'I am a curious, careful mind. I turn over what I have been told, look for what '
    'connects, and keep apart what I know from what I only think.',
    10
);
INSERT INTO streams (agent_id, stream, enabled, interval_seconds)
SELECT 'default', stream, true, 8
FROM unnest(ARRAY['primary', 'subconscious', 'emotional', 'creative', 'metacognitive'])
    AS stream;
