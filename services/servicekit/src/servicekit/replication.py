"""How far the replica that answers reads is behind its primary."""

from servicekit.database import Database
from servicekit.errors import DatabaseUnavailable

__all__ = ["replica_lag_seconds"]

POSITION = "SELECT pg_current_wal_lsn()::text AS position"
# The primary's own position is asked for: a replica that is cut off from it has
# replayed all it got, and would call that up to date.
LAG = """
SELECT
    CASE
        WHEN NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= $1::text::pg_lsn
        THEN 0
        ELSE extract(EPOCH FROM now() - pg_last_xact_replay_timestamp())
    END::double precision AS lag_seconds
"""


async def replica_lag_seconds(database: Database) -> float | None:
    """Seconds since the last commit it shows, 0 where it shows all.

    None where nothing is known: without a replica, or while it does not answer.
    """
    if not database.has_replica:
        return None
    (primary,) = await database.fetch(POSITION)
    try:
        (replica,) = await database.read_replica(LAG, primary["position"])
    except DatabaseUnavailable:
        return None
    lag_seconds: float | None = replica["lag_seconds"]
    return lag_seconds
