"""A mind that lives through a day in minutes, what is done to it, and who watches."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import redis.asyncio
from tests.support.mind import READY_S, SERVICES, Mind, running_mind
from tests.support.servers import server_folder

from benchmarks.coherence import Link
from benchmarks.corpus import say
from benchmarks.probes import until_answered
from benchmarks.quoting_model import QuotingModel, quoting_model
from contracts.agent import DEFAULT_STREAMS
from devstack.postgres import SUPERUSER, Postgres, Primary, Replica, make_dsn
from devstack.valkey import Valkey

AGENT = "default"
# The shortest that an agent may have.
INTERVAL_S = 0.1
# Stands for ten minutes: long enough for the breaker to open and the streams to doze.
OUTAGE_S = 6.0
USD_PER_DAY = 1_000
POLL_S = 0.5
PAGE = 200
WHOLE_PAGE = 1_000
# What a pod of the chart has, with something to spare.
GRACE_S = 30.0
# So long the mind may stand still before the run is given up.
STALLED_S = 120.0
CLIENT_TIMEOUT_S = 10.0


class Observer:
    """Looks at the recent thoughts again and again, as a person would."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.seen: dict[str, Link] = {}

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(POLL_S)

    async def look(self) -> None:
        """Takes in what is new; thoughts behind one that is known are known."""
        cursor = ""
        while True:
            links, cursor = await self._page(PAGE, cursor)
            known = any(link.id in self.seen for link in links)
            self.seen |= {link.id: link for link in links}
            if known or not cursor:
                return

    async def everything(self) -> list[Link]:
        """All that there is now."""
        found, cursor = await self._page(WHOLE_PAGE, "")
        while cursor:
            links, cursor = await self._page(WHOLE_PAGE, cursor)
            found += links
        return found

    async def until(self, thoughts: int) -> None:
        """Waits for so many in all; TimeoutError when none comes any more."""
        while len(self.seen) < thoughts:
            before = len(self.seen)
            async with asyncio.timeout(STALLED_S):
                while len(self.seen) == before:
                    await asyncio.sleep(POLL_S / 4)

    async def _page(self, limit: int, cursor: str) -> tuple[list[Link], str]:
        url = f"/api/thought/recent?agent_id={AGENT}&limit={limit}{cursor}"
        answer = await until_answered(lambda: self._client.get(url))
        answer.raise_for_status()
        page = answer.json()
        following = page["next_cursor"]
        return [_link(each) for each in page["thoughts"]], (
            f"&cursor={following}" if following else ""
        )


@dataclass
class Day:
    """A running mind on two PostgreSQL servers, with a model of ours."""

    mind: Mind
    client: httpx2.AsyncClient
    model: QuotingModel
    primary: Primary
    standby: Replica
    observer: Observer = field(init=False)
    outage: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        self.observer = Observer(self.client)

    @property
    def faults(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What is done to it, in this order."""
        return {
            **{f"{name} killed": self._killer(name) for name in SERVICES},
            "Valkey flushed": self._flush,
            "PostgreSQL failed over": self._fail_over,
            "Valkey killed": self._killer("valkey"),
            "an upgrade rolled": self._roll,
            "the model out": self._model_out,
        }

    async def suffer(self, thoughts: int) -> None:
        """Meets every fault, evenly over so many thoughts."""
        faults = self.faults
        for number, (name, fault) in enumerate(faults.items(), start=1):
            await self.observer.until(thoughts * number // (len(faults) + 1))
            say(f"{len(self.observer.seen):,} thoughts: {name}")
            await fault()

    def _killer(self, name: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            await self._end(name, signal.SIGKILL)

        return kill

    async def _end(self, name: str, how: signal.Signals) -> None:
        """Sends the signal, and waits until the runner has it back.

        Who does not end in time is killed, as a cluster does it.
        """
        old = self.mind.pid_of(name)
        os.kill(old, how)
        try:
            await self._until_another(name, old)
        except TimeoutError:
            say(f"{name} did not end in {GRACE_S:.0f} s:\n{self.mind.output[-2_000:]}")
            with suppress(ProcessLookupError):
                os.kill(old, signal.SIGKILL)
            await self._until_another(name, old)
        await self.mind.until_ready(READY_S)

    async def _until_another(self, name: str, old: int) -> None:
        async with asyncio.timeout(GRACE_S):
            while True:
                with suppress(AssertionError):
                    if self.mind.pid_of(name) != old:
                        return
                await asyncio.sleep(POLL_S / 4)

    async def _flush(self) -> None:
        url = Valkey.of(self.mind.folder / "data").url
        async with redis.asyncio.from_url(url) as client:
            await client.flushall()

    async def _fail_over(self) -> None:
        os.kill(self.primary.pid, signal.SIGKILL)
        await self.standby.promote()
        await self.mind.until_ready(READY_S)

    async def _roll(self) -> None:
        for name in SERVICES:
            await self._end(name, signal.SIGTERM)

    async def _model_out(self) -> None:
        begun_s = time.time()
        self.model.out = True
        await asyncio.sleep(OUTAGE_S)
        self.model.out = False
        self.outage = begun_s, time.time()


@asynccontextmanager
async def living_day() -> AsyncIterator[Day]:
    """Its streams wait until they are set going."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(quoting_model())
        assert model.model is not None
        primary, standby = await stack.enter_async_context(_servers())
        password = primary.credentials.postgres
        mind = await stack.enter_async_context(
            running_mind(
                DATABASE_URL=make_dsn(
                    SUPERUSER, password, "postgres", primary, standby
                ),
                ANTHROPIC_API_KEY="none",
                ANTHROPIC_BASE_URL=model.model.base_url,
                THOUGHT_STRUCTURED_OUTPUT="off",
            )
        )
        client = await stack.enter_async_context(mind.client(timeout=CLIENT_TIMEOUT_S))
        await set_pace(client, enabled=False)
        yield Day(mind, client, model, primary, standby)


@asynccontextmanager
async def _servers() -> AsyncIterator[tuple[Primary, Replica]]:
    """A commit waits for the standby, as in production: a failover loses none."""
    with server_folder() as folder:
        async with (
            Postgres.primary(folder) as primary,
            Postgres.replica(folder, of=primary) as standby,
        ):
            connection = await primary.connect()
            await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.close()
            yield primary, standby


async def set_pace(client: httpx2.AsyncClient, *, enabled: bool) -> None:
    """All streams at the quickest, or none; while the model is out they go on."""
    streams = {
        name: {"interval_seconds": INTERVAL_S, "enabled": enabled}
        for name in DEFAULT_STREAMS
    }
    body = {
        "streams": streams,
        "budget": {"usd_per_day": USD_PER_DAY},
        "outage": "offline",
    }
    answer = await until_answered(
        lambda: client.patch(f"/api/thought/agents/{AGENT}", json=body)
    )
    answer.raise_for_status()


async def forgetful_links(thoughts: int) -> tuple[list[Link], list[Link]]:
    """What was seen of a mind that loses its data folder midway, and what stands."""
    with server_folder() as folder:
        mind = Mind(folder, {"THOUGHT_ENGINE": "offline"})
        seen: dict[str, Link] = {}
        try:
            for _ in range(2):
                await mind.start()
                async with mind.client() as client:
                    observer = Observer(client)
                    await set_pace(client, enabled=True)
                    watching = asyncio.create_task(observer.watch())
                    await observer.until(thoughts // 2)
                    watching.cancel()
                    seen |= observer.seen
                    standing = await observer.everything()
                await mind.stop()
                _lose(folder / "data")
        finally:
            if mind.process is not None and mind.process.returncode is None:
                await mind.stop()
        return list(seen.values()), standing


def _lose(folder: Path) -> None:
    shutil.rmtree(folder)


def _link(thought: dict[str, Any]) -> Link:
    return Link(
        thought["id"],
        thought["stream"],
        thought["seq"],
        thought["previous_id"],
        datetime.fromisoformat(thought["created_at"]).timestamp(),
        thought["engine"],
    )
