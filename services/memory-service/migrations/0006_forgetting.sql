-- What tombstones are recognised by, and the provenance of what was merged.

-- A value that is looked for within longer texts too has a digest of all its words in
-- `phrase` and one of the first of them in `anchor`; `words` is its length.
ALTER TABLE tombstones
ADD COLUMN phrase bytea,
ADD COLUMN anchor bytea,
ADD COLUMN words integer,
ADD CHECK (num_nulls(phrase, anchor, words) IN (0, 3)),
DROP CONSTRAINT tombstones_agent_id_digest_key,
ADD UNIQUE NULLS NOT DISTINCT (agent_id, digest, phrase);
CREATE INDEX tombstones_phrases ON tombstones (agent_id, phrase)
WHERE phrase IS NOT NULL;
CREATE INDEX tombstones_anchors ON tombstones (agent_id, anchor, words)
WHERE anchor IS NOT NULL;

-- The lengths in words of the anchors of its tombstones; null without any tombstone.
ALTER TABLE agents ADD COLUMN anchor_lengths smallint[];

-- Whether somebody wanted it gone: then nothing made from it may come in any more.
ALTER TABLE deletions ADD COLUMN wanted boolean NOT NULL DEFAULT true;

-- The number of the change, and whose write it was.
ALTER TABLE mentions
ADD COLUMN seq bigint NOT NULL,
ADD COLUMN merged_by text NOT NULL;
