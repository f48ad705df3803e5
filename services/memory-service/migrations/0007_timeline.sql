-- Which history a server tells: the cluster, the tables in it and the timeline, which
-- is another one after every promotion. A standby names the timeline of the newest
-- checkpoint it replayed; until that is the primary's own it is not to be trusted.
CREATE FUNCTION timeline() RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT
        system_identifier
        || '/' || 'agents'::regclass::oid
        || '/' || CASE
            WHEN pg_is_in_recovery() THEN lpad(upper(to_hex(timeline_id)), 8, '0')
            ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8)
        END
    FROM pg_control_system(), pg_control_checkpoint()
);
