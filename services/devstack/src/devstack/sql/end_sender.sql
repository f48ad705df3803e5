-- Ends what still sends WAL for the replica $1; waits up to two seconds for it.
SELECT pg_terminate_backend(active_pid, 2000)
FROM pg_replication_slots
WHERE slot_name = $1 AND active_pid IS NOT NULL
