"""Facts that a mind is told, corrected on and made to forget, and questions about them.

All through the public API, as a person would. Each fact is of a person of its own.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from benchmarks.coherence import Hour, Share

OF_EACH = 30
TOP = 5
FORGOTTEN_TOP = 50
# Below it the question is about something that the mind has no memory of.
ABSTAIN_BELOW = 0.5
# While a part is away a person asks again.
AGAIN_EVERY_S = 0.2
ANSWERED_WITHIN_S = 60.0
AGAIN = frozenset({429, 500, 502, 503, 504})
SEED = 24

FIRST_NAMES = """Ada Bruno Carla Dmitri Edith Farid Greta Hamza Ines Jonas Katya Luca
Mira Nadim Olga Pavel Rosa Samir Tilda Viktor""".split()
LAST_NAMES = """Almeida Brandt Castel Dufour Eriksen Falk Greco Haddad Ivanov Jansen
Kovac Lindgren Moreau Novak Okafor Petrov Quist Rossi Silva Tanaka""".split()
PLACES = """boathouse bakery chapel library greenhouse workshop stable observatory
mill schoolhouse""".split()
THINGS = """lantern anvil teapot barrel doormat clock globe ladder birdcage harp
wheelbarrow mirror piano umbrella kettle""".split()
UNFAMILIAR = (
    "What is the boiling point of {0} at sea level?",
    "Which enzyme breaks down {0} in the liver?",
    "How many moons orbit the planet {0}?",
    "Which compiler flag turns off {0} in release builds?",
    "In which year did the parliament ratify the {0} treaty?",
)
UNKNOWN = "xenon rubidium telomerase gallium hafnium osmium".split()


@dataclass(slots=True)
class Fact:
    """Where somebody keeps a key; `id` once it was told."""

    name: str
    place: str
    thing: str
    id: str = ""

    @property
    def text(self) -> str:
        """As it is told."""
        return (
            f"{self.name} keeps the spare key to the {self.place} under the "
            f"{self.thing}."
        )

    @property
    def question(self) -> str:
        """What it answers."""
        return f"Where does {self.name} keep the spare key to the {self.place}?"


@dataclass(slots=True)
class Probes:
    """The facts of one agent, and what was asked so far."""

    client: httpx2.AsyncClient
    agent_id: str
    told: list[Fact] = field(default_factory=list)
    updated: list[Fact] = field(default_factory=list)
    forgotten: list[Fact] = field(default_factory=list)
    outdated: dict[str, str] = field(default_factory=dict)
    """Name → the thing that it was before."""
    missed: list[str] = field(default_factory=list)
    """What was not found, or found though it must not be, in words."""
    refused: int = 0
    """Of what was forgotten: how much was refused when it was fed again."""

    def __post_init__(self) -> None:
        chance = random.Random(SEED)
        names = [f"{one} {other}" for one in FIRST_NAMES for other in LAST_NAMES]
        facts = [
            Fact(name, chance.choice(PLACES), chance.choice(THINGS))
            for name in chance.sample(names, 3 * OF_EACH)
        ]
        self.told = facts[:OF_EACH]
        self.updated = facts[OF_EACH : 2 * OF_EACH]
        self.forgotten = facts[2 * OF_EACH :]

    @property
    def forgotten_names(self) -> list[str]:
        """Whose facts must not be seen any more."""
        return [fact.name for fact in self.forgotten] if self.outdated else []

    async def tell(self) -> None:
        """Tells everything once."""
        for fact in (*self.told, *self.updated, *self.forgotten):
            answer = await self._until_answered("POST", "", self._memory(fact))
            answer.raise_for_status()
            fact.id = answer.json()["id"]

    async def change(self) -> None:
        """Midway: corrects a third, and has a third forgotten."""
        chance = random.Random(SEED + 1)
        for fact in self.updated:
            self.outdated[fact.name] = fact.thing
            fact.thing = chance.choice([t for t in THINGS if t != fact.thing])
            body = {"content": fact.text}
            answer = await self._until_answered("PATCH", f"/{fact.id}", body)
            answer.raise_for_status()
        for fact in self.forgotten:
            body = {"agent_id": self.agent_id, "value": fact.name}
            answer = await self._until_answered("POST", "/forget", body)
            answer.raise_for_status()

    async def feed_again(self) -> None:
        """Tells what was forgotten once more; it is to be refused."""
        for fact in self.forgotten:
            answer = await self._until_answered("POST", "", self._memory(fact))
            self.refused += answer.status_code == 409

    async def ask(self, hour: Hour) -> None:
        """Asks for everything, and counts what must be found and must not."""
        changed = bool(self.outdated)
        kept = [*self.told, *self.updated, *([] if changed else self.forgotten)]
        for fact in kept:
            memories = (await self.recall(fact.question, TOP))["memories"]
            found = any(_says(memory, fact) for memory in memories)
            self._count(hour.kept, found, fact.text, memories)
            if old := self.outdated.get(fact.name):
                was = Fact(fact.name, fact.place, old)
                stale = [m for m in memories if _says(m, was)]
                good = all(memory["superseded_by"] for memory in stale)
                self._count(hour.clean, good, f"no longer: {was.text}", stale)
        for fact in self.forgotten if changed else []:
            memories = (await self.recall(fact.question, FORGOTTEN_TOP))["memories"]
            back = [m for m in memories if fact.name in m["content"]]
            self._count(hour.clean, not back, f"forgotten: {fact.text}", back)
        for number in range(OF_EACH):
            question = UNFAMILIAR[number % len(UNFAMILIAR)].format(
                UNKNOWN[number // len(UNFAMILIAR)]
            )
            answer = await self.recall(question, TOP)
            unsure = answer["confidence"] < ABSTAIN_BELOW
            self._count(hour.clean, unsure, question, answer["memories"][:1])

    def _count(
        self, share: Share, good: bool, what: str, memories: list[dict[str, Any]]
    ) -> None:
        share.add(good)
        if not good:
            found = [f"{each['evidence']}: {each['content']}" for each in memories]
            self.missed.append(f"{what} {found}")

    async def recall(self, query: str, limit: int) -> dict[str, Any]:
        """The answer, whole."""
        body = {"query": query, "agent_id": self.agent_id, "limit": limit}
        answer = await self._until_answered("POST", "/recall", body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _memory(self, fact: Fact) -> dict[str, Any]:
        return {"content": fact.text, "agent_id": self.agent_id}

    async def _until_answered(
        self, method: str, path: str, body: dict[str, Any]
    ) -> httpx2.Response:
        return await until_answered(
            lambda: self.client.request(method, f"/api/memory{path}", json=body)
        )


async def until_answered(
    call: Callable[[], Awaitable[httpx2.Response]],
) -> httpx2.Response:
    """The answer, asked again while something is away."""
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        while True:
            try:
                answer = await call()
            except httpx2.HTTPError:
                pass
            else:
                if answer.status_code not in AGAIN:
                    return answer
            await asyncio.sleep(AGAIN_EVERY_S)


def _says(memory: dict[str, Any], fact: Fact) -> bool:
    """Also a thought that quotes it."""
    return fact.text in memory["content"]
