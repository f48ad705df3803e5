"""The live feed's tails: in order, without gap or repeat, whoever brings the news."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.thought_generator.feeds import Log, event, listening, take

from servicekit.errors import Unavailable
from thought_generator.domain import feed as feed_module
from thought_generator.domain import live as live_module
from thought_generator.domain.feed import PAGE_EVENTS, Feed
from thought_generator.domain.live import LiveFeed
from thought_generator.domain.tail import MAX_TAIL_EVENTS, MAX_TAIL_NOTICES
from thought_generator.models.feed import Event, FeedEnd, Notice, Told
from thought_generator.stores.thoughts import ThoughtStore


async def test_hears_what_is_announced_in_order() -> None:
    log = Log()
    feed = Feed(log.after)
    taking = asyncio.create_task(take(feed.listen("a", 0, 0, 5), 3))
    await listening(feed)
    for _ in range(3):
        feed.announce("a", log.commit())
    assert await taking == [1, 2, 3]
    assert log.reads == 0


async def test_resumes_from_far_behind() -> None:
    log = Log(700)
    feed = Feed(log.after)
    assert await take(feed.listen("a", 700, 3, 5), 697) == list(range(4, 701))


async def test_many_that_resume_from_near_share_one_reading() -> None:
    log = Log(700)
    feed = Feed(log.after)
    resumed = await asyncio.gather(
        *(take(feed.listen("a", 700, 650, 5), 50) for _ in range(100))
    )
    assert resumed == [list(range(651, 701))] * 100
    assert log.reads == 1


async def test_many_that_resume_from_far_read_each_page_once() -> None:
    """As after a restart, from wherever each of them was."""
    log = Log(700)
    feed = Feed(log.after)
    heard = await asyncio.gather(
        *(take(feed.listen("a", 700, n % 5, 5), 695) for n in range(100))
    )
    assert [got[0] for got in heard] == [1 + n % 5 for n in range(100)]
    assert all(got == list(range(got[0], got[-1] + 1)) for got in heard)
    assert log.reads <= 5 + 700 / PAGE_EVENTS


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
    assert await feed.catch_up("a", 5)
    assert not await feed.catch_up("a", 5)
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


async def test_one_that_slept_while_the_tail_moved_on_misses_nothing() -> None:
    log = Log()
    feed = Feed(log.after)
    slow = feed.listen("a", 0, 0, 5)
    first = asyncio.ensure_future(anext(slow))
    await listening(feed)
    for _ in range(3 * MAX_TAIL_EVENTS):
        feed.announce("a", log.commit())
    heard = list(await first)
    assert len(heard) <= PAGE_EVENTS
    assert [*map(_position, heard), *await take(slow, 191 - len(heard) + 1)] == list(
        range(1, 193)
    )


def _position(told: Told) -> int:
    assert not isinstance(told, Notice)
    return told.position


async def test_what_tails_hold_is_bounded_over_all_agents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "MAX_HELD_BYTES", 10_000)
    logs = {f"agent-{n}": Log(size=1000) for n in range(20)}
    feed = Feed(lambda agent, *given: logs[agent].after(agent, *given))
    listeners = {name: feed.listen(name, 0, 0, 5) for name in logs}
    waiting = {
        name: asyncio.ensure_future(anext(each)) for name, each in listeners.items()
    }
    await listening(feed, len(logs))
    for _ in range(5):
        for name, log in logs.items():
            feed.announce(name, log.commit())
    assert feed.held_bytes <= 10_000
    for name, first in waiting.items():
        got = [_position(each) for each in await first]
        assert got + await take(listeners[name], 5 - len(got)) == [1, 2, 3, 4, 5]


async def test_a_page_of_large_events_is_small() -> None:
    log = Log(40, size=feed_module.PAGE_BYTES)
    feed = Feed(log.after)
    listener = feed.listen("a", 500, 0, 5)
    assert len(await anext(listener)) == 1
    await listener.aclose()


async def test_a_listener_waits_for_a_database_that_is_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "RETRY_S", 0.01)
    log = Log(9)
    log.out = Unavailable("no database")
    feed = Feed(log.after)
    taking = asyncio.create_task(take(feed.listen("a", 9, 3, 5), 6))
    while log.reads < 3:
        await asyncio.sleep(0.01)
    log.out = None
    assert await taking == [4, 5, 6, 7, 8, 9]


async def test_silence_is_told_so_that_a_comment_can_be_sent() -> None:
    feed = Feed(Log().after)
    batch = await anext(feed.listen("a", 0, 0, 0.01))
    assert batch == []


async def test_notices_are_told_to_who_listens_now() -> None:
    log = Log()
    feed = Feed(log.after)
    feed.notice("a", Notice("primary", "doze", {"before": True}))
    listener = feed.listen("a", 0, 0, 5)
    first = asyncio.ensure_future(anext(listener))
    await listening(feed)
    doze = Notice("primary", "doze", {"problem": "engine-unavailable"})
    feed.notice("a", doze)
    assert await first == [doze]
    wake, thought = Notice("primary", "wake", {}), log.commit()
    feed.notice("a", wake)
    feed.announce("a", thought)
    assert [await anext(listener), await anext(listener)] == [[thought], [wake]]


async def test_a_notice_from_before_is_not_told_to_who_comes_later() -> None:
    log = Log()
    feed = Feed(log.after)
    early = feed.listen("a", 0, 0, 0.01)
    assert await anext(early) == []
    feed.notice("a", Notice("primary", "doze", {}))
    late = feed.listen("a", 0, 0, 0.01)
    assert await anext(late) == []
    await early.aclose()
    await late.aclose()


async def test_a_flood_of_notices_is_held_in_bounds() -> None:
    feed = Feed(Log().after)
    listener = feed.listen("a", 0, 0, 0.01)
    assert await anext(listener) == []
    flood = [Notice("primary", "doze", {"n": n}) for n in range(1000)]
    for notice in flood:
        feed.notice("a", notice)
    assert await anext(listener) == flood[-MAX_TAIL_NOTICES:]


async def test_closing_ends_every_listener_with_a_reason() -> None:
    feed = Feed(Log().after)
    listener = feed.listen("a", 0, 0, 60)
    first = asyncio.ensure_future(anext(listener))
    await listening(feed)
    feed.close("stopping")
    assert await first == [Notice("", "end", {"reason": "stopping"})]
    assert await take(listener, 1) == []
    assert feed.heard_agents == {}


class Positions(ThoughtStore):
    """Where the agents' feeds stand."""

    def __init__(self, **now: int) -> None:
        self.now = now
        self.born_at = datetime(2026, 1, 1, tzinfo=UTC)

    async def feed_ends(self, agent_ids: list[str]) -> dict[str, FeedEnd]:
        return {
            name: FeedEnd(self.now[name], self.born_at)
            for name in agent_ids
            if name in self.now
        }


class Silence:
    """No other replica; remembers what was to be read again."""

    def __init__(self) -> None:
        self.reread_agents: list[str] = []

    def publish(self, agent_id: str, told: Told) -> None:
        return

    async def next(self, agents: list[str], at_most_s: float) -> list[tuple[str, Told]]:
        return []

    def reread(self, agent_id: str) -> None:
        self.reread_agents.append(agent_id)


@pytest.mark.parametrize("now", [{}, {"a": 3}, {"a": 502}])
async def test_listeners_of_a_removed_agent_are_ended(
    now: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when one of that name has thought more since than it had."""
    monkeypatch.setattr(live_module, "POLL_S", 0.001)
    feed = Feed(Log(500).after)
    positions = Positions(a=500)
    live = LiveFeed(feed, positions, Silence())
    polling = asyncio.create_task(live.poll())
    taking = asyncio.ensure_future(anext(await live.open("a", None, 60)))
    await listening(feed)
    positions.now = now
    positions.born_at += timedelta(seconds=1)
    assert await taking == [Notice("", "end", {"reason": "removed"})]
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


class Strangers(Silence):
    """Whatever may stand in Valkey as the agent's first thought."""

    thoughts: tuple[bytes, ...] = (
        b"{}",
        b"{",
        b'{"created_at": 1}',
        b'{"created_at": "soon"}',
        b'{"created_at": "2026-01-02T00:00:00"}',
        # Of an agent of that name that was removed.
        b'{"created_at": "2025-12-31T23:59:59.999999Z"}',
    )

    async def next(self, agents: list[str], at_most_s: float) -> list[tuple[str, Told]]:
        await asyncio.sleep(0)
        if not agents:
            return []
        return [("a", Event(1, "primary", thought)) for thought in self.thoughts]


class Fresh(Strangers):
    thoughts = (*Strangers.thoughts, b'{"created_at": "2026-01-01T00:00:00Z"}')


@pytest.mark.parametrize(("news", "heard"), [(Strangers, []), (Fresh, [1])])
async def test_what_valkey_kept_of_a_former_life_is_not_told(
    news: type[Silence], heard: list[int]
) -> None:
    feed = Feed(Log().after)
    live = LiveFeed(feed, Positions(a=0), news())
    hearing = asyncio.create_task(live.hear())
    taking = asyncio.create_task(take(await live.open("a", 0, 60), 1))
    await listening(feed)
    for _ in range(50):
        await asyncio.sleep(0)
    assert not hearing.done()
    feed.close("stopping")
    assert await taking == heard
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)


async def test_what_the_poll_finds_is_a_sign_that_the_stream_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_module, "POLL_S", 0.001)
    log, silence = Log(3), Silence()
    feed = Feed(log.after)
    polling = asyncio.create_task(LiveFeed(feed, Positions(a=3), silence).poll())
    assert await take(feed.listen("a", 2, 2, 60), 1) == [3]
    assert silence.reread_agents == ["a"]
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


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
    feed.close("stopping")
    await first
