-- The timeline of this primary: another one after every promotion.
SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)
