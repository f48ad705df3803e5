"""Vectors of queries, made once for each text."""

from collections.abc import Callable

import numpy as np

from memory_service.domain.caching import Cached, Caches, Name
from memory_service.models.vectors import Vector
from memory_service.providers.embedder import EmbeddingQueue

_NUMBER = np.dtype("<f4")


class QueryVectors:
    """The encoder's, kept in this process: Valkey is hardly nearer than the encoder."""

    def __init__(self, embedder: EmbeddingQueue, caches: Caches) -> None:
        self._embedder = embedder
        self._caches = caches

    def known(self, agent_id: str, text: str) -> Vector | None:
        """The vector of a text that was embedded before."""
        cached = self._caches.held(self._name(agent_id, text), 0)
        return None if cached is None else np.frombuffer(cached.value, _NUMBER)

    def keeping(self, agent_id: str, text: str) -> Callable[[Vector], None]:
        """Keeps the vector that its caller makes from now on."""
        keep = self._caches.keeping(self._name(agent_id, text))
        return lambda vector: keep(_pack(vector))

    def embed_here(self, text: str) -> Vector:
        """The same vector made in the caller's own thread, kept nowhere."""
        return self._embedder.embed_here(text)

    async def embed_query(self, agent_id: str, text: str) -> Vector:
        """The unit vector of a text, the same bits each time; raises QueueFull."""

        async def make() -> Cached:
            return _pack(await self._embedder.embed_query(text))

        value = (await self._caches.get(self._name(agent_id, text), 0, make)).value
        return np.frombuffer(value, _NUMBER)

    def _name(self, agent_id: str, text: str) -> Name:
        return Name("query", agent_id, f"{self._embedder.model}\0{text}")


def _pack(vector: Vector) -> Cached:
    return Cached(0, vector.astype(_NUMBER).tobytes())
