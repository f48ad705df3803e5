"""Texts wait in two lines for one thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

import embedding
from memory_service.errors import NotReady, QueueFull
from memory_service.providers import embedder
from memory_service.providers.embedder import EmbeddingQueue


class Recorder:
    """An encoder that notes what it was given, and fails where a text says so."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []

    def embed(self, texts: list[str]) -> Any:
        self.runs.append(list(texts))
        if "fail" in texts:
            raise RuntimeError("as the text says")
        return np.array([[len(text)] * 384 for text in texts], dtype=np.float32)


@asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[EmbeddingQueue, Recorder]]:
    recorder = Recorder()
    monkeypatch.setattr(embedder, "Embedder", lambda _: recorder)
    queue = EmbeddingQueue(embedding.default_folder())
    await queue.open()
    task = asyncio.create_task(queue.run())
    yield queue, recorder
    task.cancel()
    queue.close()


async def test_queries_go_before_what_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as (queue, recorder):
        storing = asyncio.create_task(queue.embed_texts([f"t{n}" for n in range(9)]))
        await asyncio.sleep(0)
        asking = asyncio.create_task(queue.embed_query("query"))
        await asyncio.gather(storing, asking)
    places = [number for number, run in enumerate(recorder.runs) if "query" in run]
    assert places[0] < len(recorder.runs) - 1
    assert max(map(len, recorder.runs)) == 1


async def test_vectors_come_in_the_order_of_their_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as (queue, _):
        vectors = await queue.embed_texts(["a" * n for n in range(1, 30)])
    assert [int(vector[0]) for vector in vectors] == list(range(1, 30))


async def test_a_failure_is_that_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as (queue, _):
        with pytest.raises(RuntimeError):
            await queue.embed_query("fail")
        assert (await queue.embed_query("four"))[0] == 4


async def test_all_or_none_find_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "MAX_WAITING_TEXTS", 3)
    async with running(monkeypatch) as (queue, recorder):
        with pytest.raises(QueueFull):
            await queue.embed_texts(["x"] * 4)
        assert len(await queue.embed_texts(["x"] * 3)) == 3
    assert sum(map(len, recorder.runs)) == 3


async def test_who_went_away_is_not_worked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as (queue, recorder):
        gone = asyncio.create_task(queue.embed_texts(["gone"] * 50))
        await asyncio.sleep(0)
        gone.cancel()
        await queue.embed_texts(["stays"])
    assert sum(run.count("gone") for run in recorder.runs) < 50


async def test_before_the_model_is_there() -> None:
    queue = EmbeddingQueue(embedding.default_folder())
    with pytest.raises(NotReady):
        await queue.embed_query("x")
    assert await queue.check() is not None
    queue.close()
