"""Run by the tests' runner in place of each of the three services.

It thinks five times a second, keeps its thoughts in its schema, and shows them at
`/api/thought/live` as API.md says. `STANDIN_FAULT` makes it misbehave.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn

from servicekit.migrations import apply_migrations

sys.path.insert(0, str(Path(__file__).parents[1]))

NAME = sys.argv[1]


class Mind:
    """The ASGI application."""

    def __init__(self) -> None:
        self.pool: asyncpg.Pool | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/readyz":
            await self._answer(send, 200 if self.pool else 503, {"service": NAME})
        elif scope["path"].endswith("/live"):
            await self._stream(scope, send)
        else:
            assert self.pool is not None
            count = await self.pool.fetchval("SELECT count(*) FROM thoughts")
            keys = ("DATABASE_REPLICA_URL", "REDIS_URL", "SERVICE_KEY", "HOME")
            told = {key: os.environ.get(key) for key in keys}
            seen = {"service": NAME, "thoughts": count, "environment": told}
            await self._answer(send, 200, seen)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        connecting = asyncio.create_task(self._connect())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        connecting.cancel()
        if self.pool:
            self.pool.terminate()
        await send({"type": "lifespan.shutdown.complete"})

    async def _connect(self) -> None:
        self.pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=1, max_size=4
        )
        while True:
            await asyncio.sleep(0.2)
            try:
                await self.pool.execute("INSERT INTO thoughts DEFAULT VALUES")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                print(f"{NAME}: the database is away", flush=True)

    async def _stream(self, scope: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        assert self.pool is not None
        last = headers.get(b"last-event-id")
        seen = (
            int(last)
            if last
            else await self.pool.fetchval("SELECT coalesce(max(seq), 0) FROM thoughts")
        )
        kind = (b"content-type", b"text/event-stream")
        await send({"type": "http.response.start", "status": 200, "headers": [kind]})
        while True:
            rows = await self.pool.fetch(
                "SELECT * FROM thoughts WHERE seq > $1 ORDER BY seq", seen
            )
            for row in rows:
                seen = row["seq"]
                await self._send_event(send, seen, row["created_at"].isoformat())
            await asyncio.sleep(0.1)

    async def _send_event(self, send: Any, seq: int, created_at: str) -> None:
        thought = {
            "stream": "primary",
            "content": f"thought number {seq}",
            "created_at": created_at,
            "recalled": [{"content": "an earlier one"}],
        }
        event = f"id: {seq}\nevent: thought\ndata: {json.dumps(thought)}\n\n"
        body = event.encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _answer(self, send: Any, status: int, body: dict[str, Any]) -> None:
        kind = (b"content-type", b"application/json")
        await send({"type": "http.response.start", "status": status, "headers": [kind]})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def main() -> None:
    if sys.argv[2:] == ["migrate"]:
        apply_migrations(os.environ["DATABASE_URL"], "standin")
        return
    if os.environ.get("STANDIN_FAULT") == NAME:
        sys.exit(f"{NAME} does not like its settings")
    uvicorn.run(
        Mind(),
        host=os.environ["HOST"],
        port=int(os.environ["PORT"]),
        log_level="warning",
        timeout_graceful_shutdown=0,
    )


if __name__ == "__main__":
    main()
