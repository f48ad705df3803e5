"""The pipeline in one process: what is asked, in which order, and what stops it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from contracts.fakes import FakeMemory, FakeSafety
from servicekit.errors import AppError
from thought_generator.domain import queue as queue_module
from thought_generator.domain.asking import Asking, Engines
from thought_generator.domain.budget import Governor
from thought_generator.domain.cache import ResponseCache
from thought_generator.domain.gate import Gate
from thought_generator.domain.ladder import Ladder
from thought_generator.domain.queue import EngineQueue
from thought_generator.domain.thinker import Occasion, Thinker
from thought_generator.errors import (
    BlockedBySafety,
    EngineAnswerUnusable,
    MemoryUnavailable,
    QueueFull,
    SafetyUnavailable,
)
from thought_generator.models.agents import Agent, AgentState, Stream
from thought_generator.models.budget import Limits, Reserved, Standing
from thought_generator.models.prompts import Completion, Prompt
from thought_generator.models.thoughts import Draft

AGENT = Agent(
    "default",
    "I am calm.",
    {"primary": Stream(), "own": Stream(prompt="Think in verse.")},
    Limits(Decimal(10), None),
    AgentState.RUNNING,
)


class Echo:
    """An engine that says what it is told to."""

    name = "offline"
    model = "echo"
    costs_money = False

    def __init__(self, answer: Callable[[Prompt], str]) -> None:
        self._answer = answer
        self.prompts: list[Prompt] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def think(self, prompt: Prompt, max_tokens: int) -> Completion:
        self.prompts.append(prompt)
        await self.may_answer.wait()
        return Completion(self._answer(prompt), "end_turn", self.name, self.model)

    async def close(self) -> None: ...


class NoCache:
    """Valkey is out."""

    async def get(self, key: str) -> bytes | None:
        return None

    async def put(self, key: str, value: bytes, ttl_s: int) -> None: ...


class NoBudget:
    """The engine costs nothing, so nobody asks."""

    async def reserve(self, *_: object) -> Reserved:
        raise AssertionError("reserved for an engine that costs nothing")

    async def settle(self, *_: object) -> None:
        raise AssertionError("settled for an engine that costs nothing")

    async def standing(self, agent_id: str) -> Standing:
        raise AssertionError("nobody asks")

    async def pressed(self) -> list[tuple[Limits, float, bool]]:
        raise AssertionError("nobody asks")


class World:
    """A thinker with everything around it."""

    def __init__(
        self,
        safety: FakeSafety | None = None,
        memory: FakeMemory | None = None,
        answer: Callable[[Prompt], str] = lambda prompt: f"on {prompt.context}",
    ) -> None:
        self.safety = safety or FakeSafety()
        self.memory = memory or FakeMemory()
        self.engine = Echo(answer)
        governor = Governor(NoBudget(), lambda _: None, Ladder(has_cheaper=False))
        self.thinker = Thinker(
            Gate(self.safety),
            self.memory,
            Asking(
                Engines(self.engine, None, self.engine),
                governor,
                ResponseCache(NoCache()),
                EngineQueue(),
            ),
            governor,
        )

    async def think(
        self, context: str, *, cache: bool = False, stream: str = "primary"
    ) -> Draft:
        occasion = Occasion(context, context, stream, 100, cache)
        return await self.thinker.think(AGENT, occasion)


async def test_a_thought_names_what_it_grew_from() -> None:
    memory = FakeMemory()
    told = memory.tell("Ada keeps bees")
    memory.tell("nothing of this")
    world = World(memory=memory)
    draft = await world.think("Ada in winter")
    assert [each.memory_id for each in draft.recalled] == [told.id]
    assert world.engine.prompts[0].recalled == draft.recalled
    assert draft.recalled[0].evidence == "told"


async def test_a_context_may_begin_with_any_amount_of_space() -> None:
    memory = FakeMemory()
    memory.tell("Ada keeps bees")
    draft = await World(memory=memory).think(" " * 9_000 + "Ada in winter")
    assert len(draft.recalled) == 1


async def test_context_and_thought_are_both_judged() -> None:
    world = World()
    await world.think("a context")
    assert [(each.kind, each.content) for each in world.safety.asked] == [
        ("context", "a context"),
        ("thought", "on a context"),
    ]


@pytest.mark.parametrize(("of_beat", "named"), [(True, "primary"), (False, None)])
async def test_safety_follows_a_stream_and_not_what_is_asked_for(
    of_beat: bool, named: str | None
) -> None:
    world = World()
    occasion = Occasion("a context", "a", "primary", 100, False, of_beat=of_beat)
    draft = await world.thinker.think(AGENT, occasion)
    assert draft.stream == "primary"
    assert {each.stream for each in world.safety.asked} == {named}


async def test_every_part_is_timed() -> None:
    draft = await World().think("a context")
    assert set(draft.timings_ms) == {
        "safety_in",
        "recall",
        "generate",
        "safety_out",
        "total",
    }


@pytest.mark.parametrize(
    ("world", "context", "error"),
    [
        (World(safety=FakeSafety(block=lambda t: "bad" in t)), "bad", BlockedBySafety),
        (
            World(
                safety=FakeSafety(block=lambda t: t == "evil"), answer=lambda _: "evil"
            ),
            "good",
            BlockedBySafety,
        ),
        (
            World(safety=FakeSafety(fail_on=lambda t: "x" in t)),
            "x",
            SafetyUnavailable,
        ),
        (
            World(
                safety=FakeSafety(fail_on=lambda t: t == "late"),
                answer=lambda _: "late",
            ),
            "good",
            SafetyUnavailable,
        ),
        (World(memory=FakeMemory(fail_on=lambda _: True)), "m", MemoryUnavailable),
        (World(answer=lambda _: " \n "), "silence", EngineAnswerUnusable),
        (World(answer=lambda _: "a\0b"), "NUL", EngineAnswerUnusable),
        (World(answer=lambda _: "a\ud800"), "half a pair", EngineAnswerUnusable),
        (World(answer=lambda _: "x" * 32_769), "a book", EngineAnswerUnusable),
    ],
    ids=[
        "context blocked",
        "thought blocked",
        "no verdict on the context",
        "no verdict on the thought",
        "memory out",
        "empty answer",
        "an answer with NUL",
        "an answer that is no Unicode",
        "an answer that memory cannot take",
    ],
)
async def test_what_stops_a_thought(
    world: World, context: str, error: type[AppError]
) -> None:
    with pytest.raises(error):
        await world.think(context)


async def test_a_blocked_context_never_reaches_the_engine() -> None:
    world = World(safety=FakeSafety(block=lambda t: "bad" in t))
    with pytest.raises(BlockedBySafety):
        await world.think("bad")
    assert world.engine.prompts == []


async def test_a_block_is_told_even_while_memory_is_out() -> None:
    world = World(
        safety=FakeSafety(block=lambda _: True), memory=FakeMemory(lambda _: True)
    )
    with pytest.raises(BlockedBySafety):
        await world.think("anything")


async def test_a_stream_has_its_own_instruction() -> None:
    world = World()
    await world.think("c", stream="own")
    assert world.engine.prompts[0].instruction == "Think in verse."


async def test_an_equal_prompt_is_answered_from_the_cache_when_wanted() -> None:
    world = World()
    first = await world.think("same", cache=True)
    again = await world.think("same", cache=True)
    fresh = await world.think("same", cache=False)
    assert [first.cached, again.cached, fresh.cached] == [False, True, False]
    assert again.content == first.content
    assert again.id != first.id
    assert len(world.engine.prompts) == 2


async def test_what_was_recalled_is_part_of_the_cache_key() -> None:
    memory = FakeMemory()
    world = World(memory=memory)
    await world.think("bees", cache=True)
    memory.tell("bees sleep")
    assert not (await world.think("bees", cache=True)).cached


async def test_too_many_waiting_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_WAITING", 2)
    world = World()
    world.engine.may_answer.clear()
    limit = queue_module.MAX_CALLS_AT_ONCE
    waiting = [asyncio.create_task(world.think(f"c{n}")) for n in range(limit + 2)]
    while len(world.engine.prompts) < limit:
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await world.think("one more")
    world.engine.may_answer.set()
    assert len(await asyncio.gather(*waiting)) == limit + 2
