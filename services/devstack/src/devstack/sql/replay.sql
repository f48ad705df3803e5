-- How a replica follows: a promoted one is no standby any more.
SELECT
    pg_is_in_recovery() AS standby,
    pg_last_wal_replay_lsn()::text AS position,
    EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS streaming
