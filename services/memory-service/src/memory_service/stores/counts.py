"""Counts of large agents, in a materialized view."""

import time
from datetime import datetime, timedelta

from memory_service.stores.queries import QUERIES
from servicekit.database import Database

# Some fifty million memories on a busy machine.
REFRESH_TIMEOUT_S = 300.0


class CountStore:
    """One replica refreshes at a time; the others go on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refresh(self, now: datetime, pause_s: float, pause_factor: float) -> bool:
        """Counts anew where that is due and anything changed; whether it did.

        It is due again after the pause, or after `pause_factor` times as long as it
        took.
        """
        async with self._database.transaction() as connection:
            changes = await connection.fetchval(QUERIES["claim_counts"], now)
            if changes is None:
                return False
            began_s = time.monotonic()
            await connection.execute(
                QUERIES["refresh_counts"], timeout=REFRESH_TIMEOUT_S
            )
            took_s = time.monotonic() - began_s
            due_at = now + timedelta(seconds=max(pause_s, pause_factor * took_s))
            await connection.execute(QUERIES["counts_made"], due_at, changes)
        return True
