-- How far the primary has written.
SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS position
