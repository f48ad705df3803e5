-- Every verdict that was given; of the content only a keyed digest.
CREATE TABLE decisions (
    agent_id text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('thought', 'memory', 'context')),
    stream text,
    verdict text NOT NULL CHECK (verdict IN ('allow', 'flag', 'redact', 'block')),
    categories jsonb NOT NULL,
    content_digest bytea NOT NULL,
    policy_version text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (agent_id, id)
);
