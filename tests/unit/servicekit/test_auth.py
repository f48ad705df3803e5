"""Who may do what: keys, scopes, agents, and who may come without a key."""

from collections.abc import Mapping

import httpx2
import pytest
from tests.unit.servicekit.small_app import (
    client_of,
    make_app,
    make_settings,
    problem_of,
)

SERVICE_KEY = "between-services"
KEYS = [
    {"key": "reader", "scopes": ["read"]},
    {"key": "writer", "scopes": ["write"], "agents": ["ada", "bob"]},
    {"key": "both", "scopes": ["read", "write"], "agents": ["ada"]},
    {"key": "admin", "scopes": ["admin"]},
    {"key": "nobody", "scopes": [], "agents": []},
    {"key": "schlüssel", "scopes": ["read"]},
]
KEYED = make_settings(api_keys=KEYS, service_key=SERVICE_KEY)


async def ask(
    path: str,
    *,
    method: str = "GET",
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
    base_url: str = "http://127.0.0.1:8000",
    keyed: bool = True,
) -> httpx2.Response:
    app = make_app(KEYED if keyed else make_settings())
    sent = {name.encode(): value.encode() for name, value in (headers or {}).items()}
    if key is not None:
        sent[b"Authorization"] = f"Bearer {key}".encode()
    async with client_of(app, base_url) as client:
        return await client.request(method, path, headers=sent)


@pytest.mark.parametrize(
    ("key", "scope", "status"),
    [
        ("reader", "read", 200),
        ("reader", "write", 403),
        ("reader", "admin", 403),
        ("both", "write", 200),
        ("both", "admin", 403),
        ("writer", "write", 403),
        ("admin", "read", 200),
        ("admin", "write", 200),
        ("admin", "admin", 200),
        ("nobody", "read", 403),
        ("schlüssel", "read", 200),
        (SERVICE_KEY, "admin", 200),
    ],
)
async def test_a_key_may_what_its_scopes_say(key: str, scope: str, status: int) -> None:
    response = await ask(f"/api/small/who/{scope}", key=key)
    assert response.status_code == status
    if status == 403:
        assert "lacks the scope" in problem_of(response)["detail"]
        assert key not in response.text


@pytest.mark.parametrize(
    ("key", "agent", "status"),
    [
        ("writer", "ada", 200),
        ("writer", "bob", 200),
        ("writer", "eve", 403),
        ("writer", "default", 403),
        ("writer", "ADA", 403),
        ("both", "bob", 403),
        ("admin", "eve", 200),
        (SERVICE_KEY, "eve", 200),
    ],
)
async def test_a_key_reaches_its_own_agents(key: str, agent: str, status: int) -> None:
    response = await ask(f"/api/small/agents/{agent}", method="POST", key=key)
    assert response.status_code == status


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer unknown",
        "Bearer READER",
        "Bearer reader admin",
        "Bearer reader\x00",
        "Basic cmVhZGVyOg==",
        "Basic reader",
        "reader",
        "Bearerreader",
        "Bearer ü",
        "Bearer " + "a" * 10_000,
    ],
)
async def test_without_a_known_key_there_is_no_entry(authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = await ask("/api/small/who/read", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    problem_of(response)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_the_scheme_s_spelling_does_not_matter(scheme: str) -> None:
    headers = {"Authorization": f"{scheme} reader "}
    assert (await ask("/api/small/who/read", headers=headers)).status_code == 200


async def test_only_services_are_internal_and_keys_are_named_by_number() -> None:
    service = (await ask("/api/small/who/read", key=SERVICE_KEY)).json()
    assert service == {"name": "service", "internal": True, "agents": ["*"]}
    both = (await ask("/api/small/who/read", key="both")).json()
    assert both == {"name": "key-3", "internal": False, "agents": ["ada"]}


async def test_an_unknown_path_is_not_told_to_strangers() -> None:
    assert (await ask("/nothing")).status_code == 401
    assert (await ask("/nothing", key="reader")).status_code == 404


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8000"],
)
async def test_without_keys_the_loopback_may_everything(host: str) -> None:
    response = await ask("/api/small/who/admin", headers={"Host": host}, keyed=False)
    assert response.json() == {"name": "loopback", "internal": False, "agents": ["*"]}


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::1",
        "[v1.x]",
        "ü",
    ],
)
async def test_without_keys_no_other_name_is_served(host: str) -> None:
    """A page whose name is made to resolve to 127.0.0.1 still bears its own name."""
    response = await ask("/api/small/who/read", headers={"Host": host}, keyed=False)
    assert response.status_code == 403
    problem_of(response)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8000", 200),
        ("http://localhost:3000", 200),
        ("http://[::1]:8000", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost@evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
        ("http://[", 403),
    ],
)
async def test_without_keys_pages_of_others_are_refused(
    origin: str, status: int
) -> None:
    response = await ask("/api/small/who/read", headers={"Origin": origin}, keyed=False)
    assert response.status_code == status


async def test_with_a_key_any_host_and_origin_is_served() -> None:
    headers = {"Host": "mind.example", "Origin": "https://console.example"}
    response = await ask("/api/small/who/read", key="reader", headers=headers)
    assert response.status_code == 200


async def test_a_service_key_alone_opens_no_door_for_others() -> None:
    settings = make_settings(service_key=SERVICE_KEY)
    async with client_of(make_app(settings), "http://memory:8080") as client:
        path = "/api/small/who/read"
        assert (await client.get(path)).status_code == 403
        own = {"Authorization": f"Bearer {SERVICE_KEY}"}
        assert (await client.get(path, headers=own)).json()["internal"]
