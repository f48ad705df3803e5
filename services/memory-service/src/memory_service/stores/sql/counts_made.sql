-- The counts hold $2 changes, and are due again at $1.
UPDATE upkeep SET due_at = $1, changes = $2 WHERE task = 'memory_counts'
