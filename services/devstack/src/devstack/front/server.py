"""The front's listening socket, its clients and its connections to the services."""

import asyncio
from collections.abc import Mapping

from devstack.front.client import Client
from devstack.front.upstream import Pool

HOST = "127.0.0.1"
# Each client has at most one connection to a service, so this bounds both sides. Live
# feeds take one each for as long as they listen.
MAX_CLIENTS = 2500
# A client that is silent between requests, or in the middle of a head, is let go.
MAX_SILENCE_S = 75.0
SWEEP_INTERVAL_S = 15.0
BACKLOG = 1024


class Front:
    """Listens on `port` and passes requests on by their path's prefix.

    `routes` names the port for each prefix; the longest that fits wins.
    """

    def __init__(self, port: int, routes: Mapping[bytes, int]) -> None:
        self._port = port
        self._routes = routes
        self._pools = {target: Pool(HOST, target) for target in routes.values()}
        self._clients: set[Client] = set()

    async def start(self) -> None:
        """Listens; raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Client(self, self._routes), HOST, self._port, backlog=BACKLOG
        )
        self._sweeping = loop.create_task(self._sweep())

    async def stop(self) -> None:
        """Stops listening and closes every connection."""
        self._sweeping.cancel()
        self._server.close()
        for client in list(self._clients):
            client.abort()
        for pool in self._pools.values():
            pool.close()
        # The transports report their end in the next turn of the loop.
        await asyncio.sleep(0)

    def admit(self, client: Client) -> bool:
        """Whether there is room for this client."""
        if len(self._clients) >= MAX_CLIENTS:
            return False
        self._clients.add(client)
        return True

    def forget(self, client: Client) -> None:
        """Drops a client whose connection is closed."""
        self._clients.discard(client)

    def pool(self, port: int) -> Pool:
        """The connections to the service at `port`."""
        return self._pools[port]

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            oldest_s = loop.time() - MAX_SILENCE_S
            for client in list(self._clients):
                if client.idle and client.touched_s < oldest_s:
                    client.abort()
