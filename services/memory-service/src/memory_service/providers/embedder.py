"""The encoder on a thread of its own: a few queries at a time, then a single text."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from embedding import MODEL_NAME
from embedding.model import Embedder
from memory_service import metrics
from memory_service.errors import NotReady, QueueFull
from memory_service.models.vectors import Vector
from servicekit.tracing import span

# A few seconds of work for one core; a further text gets 429.
MAX_WAITING_TEXTS = 4096
# For each hop to the thread. What is to be stored goes alone: it is long, and a query
# that comes now waits for it.
QUERIES_PER_RUN = 4


@dataclass(slots=True)
class _Waiting:
    text: str
    vector: asyncio.Future[Vector]


class EmbeddingQueue:
    """Texts wait here in two lines: queries, and what is to be stored."""

    model = MODEL_NAME

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._embedder: Embedder | None = None
        self._thread = ThreadPoolExecutor(1, "embedder")
        self._queries: deque[_Waiting] = deque()
        self._texts: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()

    async def open(self) -> None:
        """Loads the model; raises ModelUnavailable."""
        loop = asyncio.get_running_loop()
        self._embedder = await loop.run_in_executor(
            self._thread, Embedder, self._model_dir
        )

    def close(self) -> None:
        """Ends the thread; what waits gets no vector."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for waiting in (*self._queries, *self._texts):
            waiting.vector.cancel()

    async def check(self) -> str | None:
        """For readiness."""
        return None if self._embedder else "the model is being loaded"

    @property
    def idle(self) -> bool:
        """Whether no text waits."""
        return not self._queries and not self._texts

    def embed_here(self, text: str) -> Vector:
        """The unit vector of one text, made in the caller's own thread."""
        with span("embed"), metrics.EMBEDDING_SECONDS.time():
            vector: Vector = self._opened().embed([text])[0]
        return vector

    async def embed_query(self, text: str) -> Vector:
        """The unit vector of one text, before all that is to be stored."""
        with span("embed"):
            return (await self._embed(self._queries, [text]))[0]

    async def embed_texts(self, texts: Sequence[str]) -> list[Vector]:
        """The unit vectors of texts, in order; all or QueueFull."""
        return await self._embed(self._texts, texts)

    async def run(self) -> None:
        """Embeds what waits, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while run := self._next_run():
                await self._embed_run(run)

    async def _embed(self, line: deque[_Waiting], texts: Sequence[str]) -> list[Vector]:
        self._opened()
        if len(self._queries) + len(self._texts) + len(texts) > MAX_WAITING_TEXTS:
            raise QueueFull(f"{MAX_WAITING_TEXTS} texts wait to be embedded at most")
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(text, loop.create_future()) for text in texts]
        line.extend(waiting)
        self._arrived.set()
        try:
            return [await one.vector for one in waiting]
        finally:
            # A caller who went away leaves no work behind.
            for one in waiting:
                one.vector.cancel()

    def _opened(self) -> Embedder:
        if self._embedder is None:
            raise NotReady("the embedding model is being loaded")
        return self._embedder

    def _next_run(self) -> list[_Waiting]:
        run: list[_Waiting] = []
        line = self._queries or self._texts
        at_once = QUERIES_PER_RUN if self._queries else 1
        while line and len(run) < at_once:
            one = line.popleft()
            if not one.vector.done():
                run.append(one)
        metrics.WAITING_TEXTS.set(len(self._queries) + len(self._texts))
        return run

    async def _embed_run(self, run: Sequence[_Waiting]) -> None:
        embed = self._opened().embed
        loop = asyncio.get_running_loop()
        texts = [one.text for one in run]
        try:
            with metrics.EMBEDDING_SECONDS.time():
                vectors = await loop.run_in_executor(self._thread, embed, texts)
        except Exception as error:  # noqa: BLE001 - it is the callers' to see
            for one in run:
                if not one.vector.done():
                    one.vector.set_exception(error)
        else:
            for one, vector in zip(run, vectors, strict=True):
                if not one.vector.done():
                    one.vector.set_result(vector)
