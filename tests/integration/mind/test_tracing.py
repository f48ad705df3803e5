"""Spans of a whole mind, as a collector gets them."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio
from tests.support.mind import SERVICES, Mind, running_mind
from tests.support.tracing import Collector, running_collector
from tests.support.waiting import until

SECRET = "The harbour master is called Matilda."
PARTS = ("safety_in", "recall", "generate", "safety_out", "commit")
LOST = re.compile(r'claude_agi_spans_lost_total\{why="refused"\} ([0-9.]+)')


@pytest_asyncio.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    """It takes what it is sent."""
    async with running_collector() as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def mind(collector: Collector) -> AsyncIterator[Mind]:
    """A mind that is told where spans go; its streams think."""
    async with running_mind(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address, OTEL_BSP_SCHEDULE_DELAY="100"
    ) as mind:
        yield mind


@pytest_asyncio.fixture
async def client(mind: Mind, collector: Collector) -> AsyncIterator[httpx2.AsyncClient]:
    """A client, and a collector that takes what it is sent."""
    collector.status = 200
    async with mind.client() as client:
        yield client


async def generate(client: httpx2.AsyncClient, trace_id: str, parent_id: str) -> None:
    answer = await client.post(
        "/api/thought/generate",
        json={"context": f"Who keeps the harbour in {trace_id}?"},
        headers={"traceparent": f"00-{trace_id}-{parent_id}-01"},
    )
    answer.raise_for_status()


async def test_a_thought_is_one_trace_over_three_services(
    client: httpx2.AsyncClient, collector: Collector
) -> None:
    (await client.post("/api/memory", json={"content": SECRET})).raise_for_status()
    trace_id, parent_id = secrets.token_hex(16), secrets.token_hex(8)
    await generate(client, trace_id, parent_id)

    async def has_come() -> bool:
        names = {span.name for span in collector.of(trace_id).values()}
        return {*PARTS, "embed", "search", "POST /api/thought/generate"} <= names

    await until(has_come, within_s=10)
    # The spans of other services may be a beat behind.
    await asyncio.sleep(0.5)
    spans = collector.of(trace_id)
    assert {span.service for span in spans.values()} == set(SERVICES)
    (root,) = (span for span in spans.values() if span.parent_id == parent_id)
    assert (root.service, root.name) == (SERVICES[0], "POST /api/thought/generate")
    assert not [span for span in spans.values() if span.failed]
    parents = {
        span.name: spans[span.parent_id].name
        for span in spans.values()
        if span is not root
    }
    assert {parents[name] for name in PARTS} == {root.name}
    assert parents["POST /api/memory/recall"] == "recall"
    assert parents["search"] == "POST /api/memory/recall"
    assert parents["embed"] == "search"
    judged = [
        spans[span.parent_id].name
        for span in spans.values()
        if span.name == "POST /api/safety/validate"
    ]
    assert sorted(judged) == ["safety_in", "safety_out"]


async def test_streams_and_deliveries_are_traced(
    client: httpx2.AsyncClient, collector: Collector
) -> None:
    async def have_come() -> bool:
        names = {span.name for span in collector.spans}
        return {"beat", "deliver", "POST /api/memory/batch"} <= names

    await until(have_come, within_s=20)
    beats = [span for span in collector.spans if span.name == "beat"]
    assert {span.parent_id for span in beats} == {""}
    assert len({span.trace_id for span in beats}) == len(beats)


async def test_no_span_says_what_was_thought_or_told(collector: Collector) -> None:
    assert collector.bodies
    assert not [body for body in collector.bodies if b"Matilda" in body]


async def test_a_collector_that_fails_is_counted_and_harms_nobody(
    client: httpx2.AsyncClient, collector: Collector, mind: Mind
) -> None:
    collector.status = 400
    trace_id = secrets.token_hex(16)
    await generate(client, trace_id, secrets.token_hex(8))
    metrics = f"{mind.service('thought-generator')}/metrics"

    async def is_counted() -> bool:
        found = LOST.search((await client.get(metrics)).text)
        return found is not None and float(found[1]) > 0

    await until(is_counted, within_s=10)
    assert not collector.of(trace_id)


async def test_probes_are_not_traced(collector: Collector) -> None:
    names = {span.name for span in collector.spans}
    assert not names & {"GET /livez", "GET /readyz", "GET /metrics"}
