"""Probes: alive says nothing of others, ready names what is missing."""

import asyncio

import pytest
from tests.unit.servicekit.small_app import client_of, make_app, make_settings

from servicekit import health


async def well() -> None:
    return None


async def lacking() -> str:
    return "migrations missing: 0002_more"


async def failing() -> str:
    raise ConnectionRefusedError("postgresql://someone:secret@host")


async def hanging() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_without_checks_it_is_ready() -> None:
    async with client_of(make_app()) as client:
        response = await client.get("/readyz")
        assert response.json() == {"status": "ready", "checks": {}}


async def test_ready_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    checks = {"index": well, "database": lacking, "model": failing, "disk": hanging}
    async with client_of(make_app(checks=checks)) as client:
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert response.json() == {
            "status": "not ready",
            "checks": {
                "index": "ok",
                "database": "migrations missing: 0002_more",
                "model": "ConnectionRefusedError",
                "disk": "no answer in time",
            },
        }
        assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_it_is_ready_as_soon_as_every_check_is_well() -> None:
    lacks: list[str | None] = ["no connection yet", None]

    async def coming() -> str | None:
        return lacks.pop(0)

    async with client_of(
        make_app(checks={"database": coming, "index": well})
    ) as client:
        assert (await client.get("/readyz")).status_code == 503
        response = await client.get("/readyz")
        assert response.status_code == 200
        assert response.json()["checks"] == {"database": "ok", "index": "ok"}


async def test_probes_need_no_key_and_no_name_of_ours() -> None:
    settings = make_settings(api_keys=[{"key": "k", "scopes": ["read"]}])
    for app in (make_app(settings), make_app()):
        async with client_of(app, "http://10.1.2.3:8080") as client:
            for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
                assert (await client.get(path)).status_code == 200
            assert (await client.get("/api/small/call")).status_code in {401, 403}
