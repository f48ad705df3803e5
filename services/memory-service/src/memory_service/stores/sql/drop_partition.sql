-- Takes out the partition $1, if it is empty.
SELECT drop_partition($1)
