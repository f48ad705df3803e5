-- Counts anew; readers see the old counts meanwhile.
REFRESH MATERIALIZED VIEW CONCURRENTLY memory_counts
