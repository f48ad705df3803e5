"""Sees that the replica follows; one that cannot any more is made anew."""

import asyncio
import contextlib

import asyncpg

from devstack import sql
from devstack.postgres import AWAY, Primary, Replica
from devstack.screen import Screen

INTERVAL_S = 1.0
# No stream and no progress for so long beside a living primary: the WAL is gone.
STALLED_S = 5.0


class ReplicationWatch:
    """Discards a replica that is stuck or was promoted; its watcher starts it anew."""

    def __init__(self, replica: Replica, primary: Primary, screen: Screen) -> None:
        self._replica = replica
        self._primary = primary
        self._screen = screen

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            with contextlib.suppress(*AWAY):
                connection = await self._replica.connect()
                try:
                    await self._until_stuck(connection)
                finally:
                    connection.terminate()
                self._screen.say("replica cannot follow; copying the primary anew")
                await self._replica.discard()
            await asyncio.sleep(INTERVAL_S)

    async def _until_stuck(self, connection: asyncpg.Connection) -> None:
        """Returns when it does not follow; raises when it does not answer."""
        loop = asyncio.get_running_loop()
        position, progress_s = None, loop.time()
        while loop.time() - progress_s < STALLED_S:
            row = await connection.fetchrow(sql.load("replay"))
            if not row["standby"]:
                return
            moved = row["position"] != position
            if row["streaming"] or moved or not await self._primary_answers():
                position, progress_s = row["position"], loop.time()
            await asyncio.sleep(INTERVAL_S)

    async def _primary_answers(self) -> bool:
        try:
            connection = await self._primary.connect()
        except AWAY:
            return False
        connection.terminate()
        return True
