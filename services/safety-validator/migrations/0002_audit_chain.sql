-- Decisions are chained: each names the one before it by its hash, writer by writer.
-- Those from before, and those of pods of the version before that still serve while
-- this one is rolled out, stay without.
ALTER TABLE decisions
ADD COLUMN writer_id uuid,
ADD COLUMN writer_seq bigint,
ADD COLUMN prev_hash bytea,
ADD COLUMN hash bytea,
-- Only where the policy keeps what was judged.
ADD COLUMN content text;

CREATE UNIQUE INDEX decisions_chain ON decisions (writer_id, writer_seq)
WHERE writer_id IS NOT NULL;
CREATE INDEX decisions_unchained ON decisions (created_at)
WHERE writer_id IS NULL OR writer_seq IS NULL;
-- Lists, newest first: ids sort by time. Most verdicts are `allow`, and nobody looks
-- for those alone.
CREATE INDEX decisions_newest ON decisions (id);
CREATE INDEX decisions_notable ON decisions (verdict, id) WHERE verdict <> 'allow';

-- A process that writes decisions, and both ends of its chain. Numbers have no gaps, so
-- that a writer cannot vanish unseen. The seals are made with the service key.
CREATE TABLE writers (
    id uuid PRIMARY KEY,
    number bigint NOT NULL UNIQUE CHECK (number > 0),
    -- Before the first record that is still kept.
    anchor_seq bigint NOT NULL DEFAULT 0,
    anchor_hash bytea NOT NULL,
    anchor_seal bytea,
    -- The last record.
    head_seq bigint NOT NULL DEFAULT 0,
    head_hash bytea NOT NULL,
    head_seal bytea,
    began_at timestamptz NOT NULL DEFAULT now()
);

-- One row: since when decisions are chained.
CREATE TABLE chaining (began_at timestamptz NOT NULL DEFAULT now());
INSERT INTO chaining DEFAULT VALUES;
