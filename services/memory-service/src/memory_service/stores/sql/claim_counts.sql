-- Whether the counts are due, nobody else makes them, and there is anything to count.
SELECT changed.changes
FROM upkeep
CROSS JOIN (SELECT coalesce(sum(seq), 0) AS changes FROM agents) AS changed
WHERE
    task = 'memory_counts'
    AND due_at <= $1
    AND upkeep.changes <> changed.changes
FOR UPDATE OF upkeep SKIP LOCKED
