-- Gives the month that begins at $1 its partition, where at most $2 rows wait for it.
SELECT make_partition($1, $2)
