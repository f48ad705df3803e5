"""Whether the replica that answers reads is recent enough."""

import asyncio
import time
from collections import deque

import structlog

from memory_service.stores.queries import QUERIES
from servicekit.database import Database
from servicekit.errors import DatabaseUnavailable

# What a reader who asks for no write in particular may miss.
MAX_STALENESS_S = 5.0
MEASURE_EVERY_S = 1.0
# Positions remembered; a replica this far behind has to reach the last of them first.
MAX_POSITIONS = 60

log = structlog.get_logger()


class Staleness:
    """A replica is stale while it lacks what the primary had some seconds ago.

    The primary's own positions are compared: a replica that is cut off has replayed
    all it got, and the time of the last commit says nothing where nobody writes. While
    the primary is away nothing newer is known: it stays as it was.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Times and positions of the primary that the replica has yet to reach.
        self._ahead: deque[tuple[float, int]] = deque()
        self.is_stale = False

    async def run(self) -> None:
        """Measures for ever; without a replica there is nothing to do."""
        while self._database.has_replica:
            await self.measure(time.monotonic())
            await asyncio.sleep(MEASURE_EVERY_S)

    async def measure(self, now_s: float) -> None:
        """Compares both servers at this time of a monotonic clock."""
        try:
            (primary,) = await self._database.fetch(QUERIES["written_position"])
            if len(self._ahead) < MAX_POSITIONS:
                self._ahead.append((now_s, primary["position"]))
            (replica,) = await self._database.read_replica(QUERIES["replayed_position"])
        except DatabaseUnavailable:
            return
        while self._ahead and self._ahead[0][1] <= replica["position"]:
            self._ahead.popleft()
        stale = bool(self._ahead) and now_s - self._ahead[0][0] > MAX_STALENESS_S
        if stale != self.is_stale:
            log.warning("replica is stale" if stale else "replica has caught up")
        self.is_stale = stale
