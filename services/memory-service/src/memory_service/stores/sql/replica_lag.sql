-- Seconds that this server is behind its primary; 0 where it has replayed all it got.
SELECT
    CASE
        WHEN
            pg_is_in_recovery()
            AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
        THEN extract(EPOCH FROM now() - pg_last_xact_replay_timestamp())
        ELSE 0
    END::double precision AS lag_seconds
