"""A model that has something to say about one of the memories it is shown, at once.

It can be out. It notes which names it was shown, since a prompt is what a forgotten
value must not come back into.
"""

import random
import time
from asyncio import StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.messages import Model, refuses, scripted_model, stream, streams

MEMORY_LINE = "- ("
QUOTED_WORDS = 16
OWN_WORDS = 24
SEED = 24
WORDS = """harbour bees lantern river letter orchard salt bridge garden glass waits
keeps hides mends outlives borrows forgets slowly again nobody winter evening under
beside quiet copper feather window thread promise road kettle""".split()
OVERLOADED = 529


class QuotingModel:
    """Plays for `scripted_model`."""

    def __init__(self) -> None:
        self.out = False
        self.shown_at: dict[str, float] = {}
        """Watched name → when a prompt had it last, by the wall clock."""
        self.watched: list[str] = []
        self._random = random.Random(SEED)
        self.model: Model | None = None

    async def play(self, writer: StreamWriter) -> None:
        """Answers one call."""
        assert self.model is not None
        body = self.model.asked.pop()
        if self.out:
            await refuses(OVERLOADED)(writer)
            return
        prompt = str(body["messages"][-1]["content"])
        for name in self.watched:
            if name in prompt:
                self.shown_at[name] = time.time()
        memories = [line for line in prompt.splitlines() if MEMORY_LINE in line[:3]]
        events = stream(self._thought(memories), model=body["model"])
        await streams(events)(writer)

    def _thought(self, memories: list[str]) -> str:
        own = " ".join(self._random.choices(WORDS, k=OWN_WORDS))
        if not memories:
            return f"I wonder: {own}."
        memory = self._random.choice(memories).partition(") ")[2]
        quoted = " ".join(memory.split()[:QUOTED_WORDS])
        return f"{quoted} And {own}."


@asynccontextmanager
async def quoting_model() -> AsyncIterator[QuotingModel]:
    """A server of its own in this process, ended with the block."""
    quoting = QuotingModel()
    async with scripted_model(quoting.play) as model:
        quoting.model = model
        yield quoting
