-- Keeps WAL for the replica $1 from here on.
SELECT pg_create_physical_replication_slot($1, true)
