-- What a turn is read with, and texts of nothing but stop words.

-- The number of the memory said before this one in the same session, if any. An index
-- puts both vectors together; here each memory has that of its own text alone.
ALTER TABLE embeddings ADD COLUMN previous_seq bigint;
CREATE INDEX embeddings_next ON embeddings (agent_id, previous_seq)
WHERE previous_seq IS NOT NULL;

-- The stemmed words of a text; of one that has stop words only, those as they are. Each
-- is prefixed by a digest of the agent: one GIN index then holds a list for each word
-- of each agent, and reads nothing of the others.
CREATE OR REPLACE FUNCTION agent_words(agent_id text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(ARRAY(
    SELECT left(encode(sha256(convert_to(agent_id, 'UTF8')), 'hex'), 8) || lexeme
    FROM unnest(tsvector_to_array(coalesce(
        nullif(to_tsvector('pg_catalog.english', content), ''::tsvector),
        to_tsvector('pg_catalog.simple', content)
    ))) AS lexeme
));

-- An index alone then names the memories that meet a filter.
DROP INDEX memories_users;
CREATE INDEX memories_users ON memories (agent_id, user_id, seq)
WHERE user_id IS NOT NULL;
DROP INDEX memories_types;
CREATE INDEX memories_types ON memories (agent_id, memory_type, importance DESC)
INCLUDE (seq);
