-- The partitions of months that begin before $1, oldest first.
SELECT relname AS name
FROM pg_inherits
INNER JOIN pg_class ON oid = inhrelid
WHERE
    inhparent = 'memories'::regclass
    AND relname ~ '^memories_\d{4}_\d{2}$'
    AND relname < 'memories_' || to_char($1::timestamptz AT TIME ZONE 'UTC', 'YYYY_MM')
ORDER BY relname
