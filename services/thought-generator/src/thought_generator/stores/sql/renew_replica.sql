INSERT INTO replicas (replica, lease_until)
VALUES ($1, now() + $2::interval)
ON CONFLICT (replica) DO UPDATE SET lease_until = excluded.lease_until
