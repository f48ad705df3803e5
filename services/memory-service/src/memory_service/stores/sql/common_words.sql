-- The words that more than $3 of $1's $2 memories hold, and the share of them that do,
-- as far as the statistics of the tables know.
SELECT word, sum(memories) / $2::double precision AS share
FROM (
    SELECT
        substr(common.lexeme, 9) AS word,
        common.frequency * greatest(class.reltuples, 0) AS memories
    FROM pg_inherits
    INNER JOIN pg_class AS class ON class.oid = pg_inherits.inhrelid
    INNER JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
    INNER JOIN pg_stats AS stats
        ON
            stats.schemaname = schema.nspname
            AND stats.tablename = class.relname
            AND stats.attname = 'words'
    CROSS JOIN unnest(
        stats.most_common_elems::text::text[], stats.most_common_elem_freqs
    ) AS common (lexeme, frequency)
    WHERE
        pg_inherits.inhparent = 'memories'::regclass
        AND starts_with(
            common.lexeme, left(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 8)
        )
) AS found
GROUP BY word
HAVING sum(memories) > $3
