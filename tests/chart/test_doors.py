"""Ingress, HTTPRoute, nginx and the runner on a laptop lead to the same service."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from tests.support.render import CHART, ROOT, Object, render

from devstack.front.routes import PRIVATE_PATHS, find_route
from devstack.services import SERVICES

# Paths that look like another.
LOOKALIKES = (
    "/api/thoughtful",
    "/api/memory2",
    "/mcpx",
    "/v1/moderations2",
    "/v1",
    "/x",
)
LOCATION = re.compile(r"location (= )?(\S+) \{\s+proxy_pass http://([\w-]+);")
Door = Callable[[str], str | None]
Route = tuple[bool, str, str]


def _public() -> Iterator[str]:
    """Every path of the services' own descriptions, and those that others define."""
    for service in SERVICES:
        file = ROOT / "services" / service.name / "openapi.json"
        for path in json.loads(file.read_text())["paths"]:
            yield re.sub(r"\{\w+\}", "0190-x", path)
    yield from ("/", "/mcp", "/v1/moderations")


PUBLIC = sorted({path for path in _public() if path.encode() not in PRIVATE_PATHS})


def _longest(routes: list[Route], path: str) -> str | None:
    """An exact path before a prefix, which ends where a part of the path does."""
    for exact, prefix, service in routes:
        if exact and path == prefix:
            return service
    fitting = [
        (len(prefix), service)
        for exact, prefix, service in routes
        if not exact and f"{path}/".startswith(f"{prefix.rstrip('/')}/")
    ]
    return max(fitting)[1] if fitting else None


def _ingress() -> Door:
    release = render("mind", CHART / "ci" / "ingress-values.yaml")
    rules = release.of("Ingress")[0]["spec"]["rules"]
    found = [[_of_ingress(each) for each in rule["http"]["paths"]] for rule in rules]
    assert all(each == found[0] for each in found)
    return lambda path: _longest(found[0], path)


def _of_ingress(path: Object) -> Route:
    name = path["backend"]["service"]["name"].removeprefix("mind-claude-agi-")
    return path["pathType"] == "Exact", path["path"], name


def _http_route() -> Door:
    release = render("mind", CHART / "ci" / "http-route-values.yaml")
    routes = []
    for rule in release.of("HTTPRoute")[0]["spec"]["rules"]:
        (backend,) = rule["backendRefs"]
        name = backend["name"].removeprefix("mind-claude-agi-")
        for match in rule["matches"]:
            path = match["path"]
            routes.append((path["type"] == "Exact", path["value"], name))
    return lambda path: _longest(routes, path)


def _nginx() -> Door:
    release = render("mind", CHART / "ci" / "default-values.yaml")
    config = release.find("ConfigMap", "mind-claude-agi-front")
    assert config
    places = LOCATION.findall(config["data"]["nginx.conf"])

    def find(path: str) -> str | None:
        exact = [service for mark, place, service in places if mark and path == place]
        fitting = [
            (len(place), service)
            for mark, place, service in places
            if not mark and path.startswith(place)
        ]
        return exact[0] if exact else max(fitting)[1] if fitting else None

    return find


def _runner(path: str) -> str | None:
    ports = {prefix: s.port_offset for s in SERVICES for prefix in s.prefixes}
    port = find_route(path.encode(), ports)
    return next((s.name for s in SERVICES if s.port_offset == port), None)


@pytest.mark.parametrize("door", [_ingress, _http_route, _nginx])
def test_every_door_leads_to_the_same_service(door: Callable[[], Door]) -> None:
    """As on a laptop; what is a service's own stays inside."""
    find = door()
    assert {path: find(path) for path in PUBLIC} == {p: _runner(p) for p in PUBLIC}
    inside = [*(path.decode() for path in PRIVATE_PATHS), *LOOKALIKES]
    assert not [path for path in inside if find(path)]


def test_nginx_knows_the_services_by_name() -> None:
    """The addresses behind its words are those of Services in the same release."""
    for values in ("default", "full-name", "names"):
        release = render("mind", CHART / "ci" / f"{values}-values.yaml")
        (text,) = (
            each["data"]["nginx.conf"]
            for each in release.of("ConfigMap")
            if "nginx.conf" in each["data"]
        )
        hosts = set(re.findall(r"server ([\w-]+):8080", text))
        assert hosts == {f"{release.prefix}-{service.name}" for service in SERVICES}
