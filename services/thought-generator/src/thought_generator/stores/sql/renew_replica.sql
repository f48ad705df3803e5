-- Whether the lease was still held: with one that had run out streams may be lost.
WITH known AS (
    SELECT lease_until >= now() AS held FROM replicas WHERE replica = $1
),

renewed AS (
    INSERT INTO replicas (replica, lease_until)
    VALUES ($1, now() + $2::interval)
    ON CONFLICT (replica) DO UPDATE SET lease_until = excluded.lease_until
)

SELECT coalesce((SELECT held FROM known), false) AS held
