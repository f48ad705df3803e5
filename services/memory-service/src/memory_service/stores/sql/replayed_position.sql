-- How far this replica shows what the primary wrote; a promoted one shows all.
SELECT
    CASE
        WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint
        ELSE 9223372036854775807
    END AS position
