"""What replicas tell each other of thoughts, by Valkey Streams: one for each agent.

A stream holds the news of a short time, so that what came while the connection was
cut is read afterwards. Its ids say only how far it was read; a thought's place is its
position, and what a stream does not hold is in PostgreSQL.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import redis.asyncio as redis
import structlog
from pydantic import SecretStr
from redis.exceptions import RedisError, ResponseError

from servicekit.metrics import CACHE_FAILURES
from thought_generator.models.feed import Event, Notice, Told

KEY = "claude-agi:feed:"
# About as many events a stream; a listener that misses more reads from the database.
MAX_STREAM_EVENTS = 64
# A larger event is not told, so that a stream stays small; the database has it.
MAX_EVENT_BYTES = 65_536
# A stream that nobody adds to is removed: longer than any short cut.
STREAM_TTL_S = 60
# Taken from one stream at once, so that a thousand streams fit into one answer.
EVENTS_PER_READ = 8
# After an answer the next reading waits, so that many agents' news come together.
READ_GAP_S = 0.02
# Waiting to be sent; where Valkey is slower than we think, the oldest are dropped.
MAX_WAITING = 256
EVENTS_PER_SENDING = 64
# Valkey answers within this, or is out: nobody waits for it, so it may be slow.
ANSWER_S = 1.0
# After a failure it is left alone, so that its absence costs nothing.
PAUSE_S = 0.5
# Of PostgreSQL's largest number; what is longer is none of ours.
MAX_POSITION_DIGITS = 19
# From the oldest on that the stream still holds.
BEGINNING = b"0"

Fields = dict[bytes, bytes]

log = structlog.get_logger()


def key(agent_id: str) -> str:
    """The stream with news of an agent."""
    return f"{KEY}{agent_id}"


def encode(told: Told) -> Fields:
    """An event or a notice as it travels between replicas."""
    if isinstance(told, Event):
        return {
            b"position": b"%d" % told.position,
            b"stream": told.stream.encode(),
            b"thought": told.thought,
        }
    return {
        b"notice": told.kind.encode(),
        b"stream": told.stream.encode(),
        b"data": orjson.dumps(told.data),
    }


def decode(fields: Fields) -> Told | None:
    """What was told, or None when it is nothing of ours."""
    stream = fields.get(b"stream", b"").decode(errors="replace")
    if b"notice" in fields:
        try:
            data = orjson.loads(fields.get(b"data", b""))
        except orjson.JSONDecodeError:
            return None
        kind = fields[b"notice"].decode(errors="replace")
        return Notice(stream, kind, data) if isinstance(data, dict) else None
    position, thought = fields.get(b"position", b""), fields.get(b"thought", b"")
    numbered = position.isdigit() and len(position) <= MAX_POSITION_DIGITS
    if not (numbered and stream and thought.startswith(b"{")):
        return None
    return Event(int(position), stream, thought)


class ValkeyNews:
    """Tells other replicas, and hears them; connections of its own, since a reading
    waits longer than any other call to Valkey may."""

    def __init__(self, url: SecretStr | None, replica: str) -> None:
        # Calls are timed here: the client's own timeout of sending swallows a
        # cancellation that comes as it ends (`asyncio.wait_for` before Python 3.12).
        self._client = (
            redis.Redis.from_url(url.get_secret_value(), socket_timeout=None)
            if url
            else None
        )
        self._replica = replica.encode()
        self._out = False
        self._gap_s = 0.0
        self._read_up_to: dict[str, bytes] = {}
        self._waiting: deque[tuple[str, Told]] = deque(maxlen=MAX_WAITING)
        self._told = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How much is still to be sent."""
        return len(self._waiting)

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()

    def publish(self, agent_id: str, told: Told) -> None:
        """Tells the others, soon, if Valkey is there."""
        too_large = isinstance(told, Event) and len(told.thought) > MAX_EVENT_BYTES
        if self._client is not None and not too_large:
            self._waiting.append((agent_id, told))
            self._told.set()

    async def send(self) -> None:
        """Sends what was published, until cancelled."""
        while True:
            await self._told.wait()
            self._told.clear()
            while self._waiting:
                count = min(len(self._waiting), EVENTS_PER_SENDING)
                batch = [self._waiting.popleft() for _ in range(count)]
                if not await self._add(batch):
                    # It is told late or never, and read from the database instead.
                    self._waiting.clear()
                    await asyncio.sleep(PAUSE_S)

    async def next(self, agents: list[str], at_most_s: float) -> list[tuple[str, Told]]:
        """What others told, waiting so long for the first; none when Valkey is out."""
        self._read_up_to = {
            agent_id: self._read_up_to.get(agent_id, BEGINNING) for agent_id in agents
        }
        if self._client is None or not agents:
            await asyncio.sleep(at_most_s)
            return []
        await asyncio.sleep(self._gap_s)
        answer = None
        async with self._answering(at_most_s + ANSWER_S):
            answer = await self._read(self._client, at_most_s)
        if answer is None:
            await asyncio.sleep(PAUSE_S)
            return []
        news = [told for name, entries in answer for told in self._take(name, entries)]
        self._gap_s = READ_GAP_S if answer else 0.0
        return news

    def reread(self, agent_id: str) -> None:
        """Begins anew with a stream, which may be another one by now."""
        self._read_up_to.pop(agent_id, None)

    async def _add(self, batch: list[tuple[str, Told]]) -> bool:
        assert self._client is not None
        async with self._answering(ANSWER_S):
            async with self._client.pipeline(transaction=False) as calls:
                for agent_id, told in batch:
                    calls.xadd(
                        key(agent_id),
                        {b"by": self._replica, **encode(told)},  # type: ignore[dict-item]
                        maxlen=MAX_STREAM_EVENTS,
                    )
                agents = {agent_id for agent_id, _ in batch}
                for agent_id in agents:
                    calls.expire(key(agent_id), STREAM_TTL_S)
                added = await calls.execute(raise_on_error=False)
            refused = [error for error in added if isinstance(error, ResponseError)]
            if any(_is_of_wrong_type(error) for error in refused):
                await self._remove_strangers(self._client, list(agents))
            elif refused:
                raise refused[0]
            return True
        return False

    async def _read(
        self, client: redis.Redis, at_most_s: float
    ) -> list[tuple[bytes, list[tuple[bytes, Fields]]]]:
        streams: dict[Any, Any] = {
            key(agent_id): at for agent_id, at in self._read_up_to.items()
        }
        try:
            answer: Any = await client.xread(
                streams, count=EVENTS_PER_READ, block=int(at_most_s * 1000)
            )
        except ResponseError as error:
            if not _is_of_wrong_type(error):
                raise
            await self._remove_strangers(client, list(self._read_up_to))
            return []
        return list(answer.items()) if isinstance(answer, dict) else answer

    def _take(
        self, name: bytes, entries: list[tuple[bytes, Fields]]
    ) -> list[tuple[str, Told]]:
        agent_id = name.decode().removeprefix(KEY)
        fresh = self._read_up_to.get(agent_id) != BEGINNING
        self._read_up_to[agent_id] = entries[-1][0]
        news = []
        for _, fields in entries:
            # Our own was told here when it was published.
            if not fields or fields.get(b"by") == self._replica:
                continue
            told = decode(fields)
            # A notice from before we listened may be true no more.
            if isinstance(told, Event) or (told is not None and fresh):
                news.append((agent_id, told))
        return news

    async def _remove_strangers(self, client: redis.Redis, agents: list[str]) -> None:
        """Anything may stand under our keys; one of another type stops every call."""
        async with client.pipeline(transaction=False) as calls:
            for agent_id in agents:
                calls.type(key(agent_id))
            types = await calls.execute()
        strangers = [
            key(agent_id)
            for agent_id, kind in zip(agents, types, strict=True)
            if kind not in {b"stream", b"none"}
        ]
        if strangers:
            await client.unlink(*strangers)

    @asynccontextmanager
    async def _answering(self, within_s: float) -> AsyncIterator[None]:
        """Passes over that Valkey does not answer, or not as it should."""
        try:
            async with asyncio.timeout(within_s):
                yield
        except (RedisError, OSError, TimeoutError) as error:
            CACHE_FAILURES.inc()
            if not self._out:
                log.warning("no news by Valkey, reading PostgreSQL", error=repr(error))
            self._out = True
        else:
            self._out = False


def _is_of_wrong_type(error: ResponseError) -> bool:
    return str(error).startswith("WRONGTYPE")
