DELETE FROM replicas WHERE replica = $1
