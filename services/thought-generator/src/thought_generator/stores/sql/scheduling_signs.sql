-- A change that commits after one with a higher id is seen too, hence the sum.
SELECT
    ARRAY(
        SELECT replica FROM replicas WHERE lease_until >= now() ORDER BY replica
    ) AS living,
    count(*) AS changes,
    coalesce(sum(id), 0)::bigint AS changes_sum
FROM stream_changes
