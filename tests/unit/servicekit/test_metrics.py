"""Metrics: labelled by the template of the route, never by what a caller wrote."""

from collections.abc import Mapping

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

COUNT = "claude_agi_http_request_seconds_count"
Labels = tuple[str, str, str]


async def counts(client: httpx2.AsyncClient) -> Mapping[Labels, float]:
    """Requests so far by method, route and status."""
    text = (await client.get("/metrics")).text
    return {
        (labels["method"], labels["route"], labels["status"]): value
        for family in text_string_to_metric_families(text)
        for name, labels, value, *_ in family.samples
        if name == COUNT
    }


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/api/small/notes/secret", ("/api/small/notes/{note_id}", "200")),
        ("GET", "/api/small/notes/%00", ("/api/small/notes/{note_id}", "200")),
        ("POST", "/api/small/notes", ("/api/small/notes", "422")),
        ("PUT", "/api/small/notes", ("/api/small/notes", "405")),
        (
            "GET",
            "/api/small/failures/unexpected",
            ("/api/small/failures/{name}", "500"),
        ),
        (
            "GET",
            "/api/small/failures/overloaded",
            ("/api/small/failures/{name}", "429"),
        ),
        ("GET", "/livez", ("/livez", "200")),
        ("GET", "/metrics", ("/metrics", "200")),
        ("GET", "/secret/path", ("unmatched", "404")),
        ("GET", "/api/small/notes/secret/path", ("unmatched", "404")),
    ],
)
async def test_a_request_is_counted_under_its_template(
    client: httpx2.AsyncClient, method: str, path: str, labels: tuple[str, str]
) -> None:
    before = await counts(client)
    await client.request(method, path)
    after = await counts(client)
    told = {key for key in after if after[key] != before.get(key, 0.0)}
    # Reading the metrics is itself counted.
    assert told - {("GET", "/metrics", "200")} == {(method, *labels)} - {
        ("GET", "/metrics", "200")
    }
    assert after[(method, *labels)] > before.get((method, *labels), 0.0)
    assert not any("secret" in part for key in after for part in key)


async def test_a_request_without_an_answer_in_time_is_counted(
    client: httpx2.AsyncClient,
) -> None:
    before = await counts(client)
    await client.get("/api/small/wait", headers={"X-Request-Timeout-Ms": "1"})
    key = ("GET", "/api/small/wait", "504")
    assert (await counts(client))[key] == before.get(key, 0.0) + 1
