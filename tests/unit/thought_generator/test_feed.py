"""The live feed's tails: in order, without gap or repeat, whoever brings the news."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from servicekit.errors import Unavailable
from thought_generator.domain import feed as feed_module
from thought_generator.domain import live as live_module
from thought_generator.domain.feed import Feed
from thought_generator.domain.live import LiveFeed
from thought_generator.models import Event
from thought_generator.providers.news import decode_event, encode_event
from thought_generator.routes.live import _chunks
from thought_generator.routes.sse import EventStream
from thought_generator.stores.thoughts import ThoughtStore


def event(position: int) -> Event:
    return Event(position, "primary", b'{"n":%d}' % position)


class Log:
    """What the database holds."""

    def __init__(self, last: int = 0) -> None:
        self.events = [event(n) for n in range(1, last + 1)]
        self.reads = 0

    def commit(self) -> Event:
        self.events.append(event(len(self.events) + 1))
        return self.events[-1]

    async def after(self, _: str, position: int, limit: int) -> list[Event]:
        self.reads += 1
        await asyncio.sleep(0)
        return self.events[position : position + limit]


async def take(listener: AsyncIterator[list[Event]], count: int) -> list[int]:
    got: list[int] = []
    async with asyncio.timeout(5):
        async for batch in listener:
            got += [each.position for each in batch]
            if len(got) >= count:
                break
    return got


async def listening(feed: Feed) -> None:
    while not feed.heard_agents:
        await asyncio.sleep(0)


async def test_hears_what_is_announced_in_order() -> None:
    log = Log()
    feed = Feed(log.after)
    taking = asyncio.create_task(take(feed.listen("a", 0, 0, 5), 3))
    await listening(feed)
    for _ in range(3):
        feed.announce("a", log.commit())
    assert await taking == [1, 2, 3]
    assert log.reads == 0


async def test_resumes_behind_what_the_tail_still_holds() -> None:
    log = Log(700)
    feed = Feed(log.after)
    assert await take(feed.listen("a", 700, 3, 5), 697) == list(range(4, 701))


@pytest.mark.parametrize("lost", [{2}, {1, 2, 3}, {5}])
async def test_lost_news_is_read_from_the_database(lost: set[int]) -> None:
    log = Log()
    feed = Feed(log.after)
    taking = asyncio.create_task(take(feed.listen("a", 0, 0, 5), 5))
    await listening(feed)
    for position in range(1, 6):
        news = log.commit()
        if position not in lost:
            feed.announce("a", news)
    await feed.catch_up("a", 5)
    assert await taking == [1, 2, 3, 4, 5]


async def test_news_told_twice_or_late_is_heard_once() -> None:
    log = Log()
    feed = Feed(log.after)
    taking = asyncio.create_task(take(feed.listen("a", 0, 0, 5), 3))
    await listening(feed)
    first, second = log.commit(), log.commit()
    for news in (second, first, first, second, second):
        feed.announce("a", news)
    feed.announce("a", log.commit())
    assert await taking == [1, 2, 3]


async def test_agents_hear_only_their_own() -> None:
    log = Log()
    feed = Feed(log.after)
    taking = asyncio.create_task(take(feed.listen("a", 0, 0, 0.05), 1))
    await listening(feed)
    feed.announce("b", event(1))
    await asyncio.sleep(0.1)
    assert not taking.done()
    feed.announce("a", log.commit())
    assert await taking == [1]


async def test_silence_is_told_so_that_a_comment_can_be_sent() -> None:
    feed = Feed(Log().after)
    batch = await anext(feed.listen("a", 0, 0, 0.01))
    assert batch == []


async def test_closing_ends_every_listener() -> None:
    feed = Feed(Log().after)
    taking = asyncio.create_task(take(feed.listen("a", 0, 0, 60), 1))
    await listening(feed)
    feed.close()
    assert await taking == []
    assert feed.heard_agents == {}


class Positions(ThoughtStore):
    """Where the agents' feeds stand."""

    def __init__(self, **now: int) -> None:
        self.now = now

    async def positions(self, agent_ids: list[str]) -> dict[str, int]:
        return {name: self.now[name] for name in agent_ids if name in self.now}


class Silence:
    """No other replica."""

    async def next(
        self, agents: list[str], at_most_s: float
    ) -> list[tuple[str, Event]]:
        return []


@pytest.mark.parametrize("made_anew", [False, True])
async def test_listeners_of_a_removed_agent_are_ended(
    made_anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "POLL_S", 0.001)
    feed = Feed(Log(500).after)
    positions = Positions(a=500)
    polling = asyncio.create_task(LiveFeed(feed, positions, Silence()).poll())
    taking = asyncio.create_task(take(feed.listen("a", 500, 500, 60), 1))
    await listening(feed)
    positions.now = {"a": 3} if made_anew else {}
    assert await taking == []
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def test_a_listener_cut_in_the_middle_of_a_chunk_is_gone_at_once() -> None:
    feed = Feed(Log(3).after)
    blocked = asyncio.Event()

    async def send(message: Message) -> None:
        if b"data" in message.get("body", b""):
            blocked.set()
            await asyncio.Event().wait()

    async def receive() -> Message:
        await blocked.wait()
        return {"type": "http.disconnect"}

    chunks = _chunks(feed.listen("a", 3, 0, 60), None)
    await EventStream(chunks)({"type": "http"}, receive, send)
    assert feed.heard_agents == {}


async def test_one_listener_too_many_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "MAX_LISTENERS", 1)
    feed = Feed(Log().after)
    first = asyncio.create_task(take(feed.listen("a", 0, 0, 60), 1))
    await listening(feed)
    # Before anything is sent, so that the caller gets a 503.
    with pytest.raises(Unavailable):
        feed.listen("a", 0, 0, 60)
    feed.close()
    await first


@pytest.mark.parametrize(
    "message",
    [b"", b"x", b"1", b"1 primary", b"1 primary [1]", b"-1 primary {}", b"1  {}"],
)
def test_what_others_put_into_the_channel_is_no_event(message: bytes) -> None:
    assert decode_event(message) is None


def test_an_event_survives_the_channel() -> None:
    sent = Event(17, "my-stream", b'{"content": "a b c"}')
    assert decode_event(encode_event(sent)) == sent
