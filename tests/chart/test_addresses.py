"""Where pods are told to call, something answers, and the policies let them through."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.support.network import NAME, Place, lets_through, places_of
from tests.support.render import Object, Render, Workload
from tests.support.selectors import selects

ADDRESS = re.compile(r"(?:[a-z]+://)?(?:[^@/\s]+@)?([a-z][a-z0-9.-]*):(\d+)(?:/.*)?")
# Of which only the name is told.
PORTS = {"PRIMARY_HOST": 5432}
DOMAIN = "minds.svc.cluster.local"
# In a Secret that a Job writes, by what the Job is told.
TOLD_BY = {
    "DATABASE_URL": "DATABASE_RW_HOST",
    "DATABASE_REPLICA_URL": "DATABASE_RO_HOST",
    "MEMORY_RO_DSN": "DATABASE_RO_HOST",
    "REDIS_URL": "CACHE_HOST",
}
Address = tuple[str, int]


def _told(release: Render, workload: Workload) -> Iterator[tuple[str, Address]]:
    """Names of variables, and the addresses that they carry."""
    written = {
        each["name"]: each.get("value", "")
        for each in release.of_component("secrets").containers[0]["env"]
    }
    persons = {
        each["name"]
        for part in ("thoughtGenerator", "memoryService", "safetyValidator")
        for each in release.settings[part]["extraEnv"]
    }
    for container in workload.containers:
        for variable in container.get("env", []):
            name = variable["name"]
            text = variable.get("value") or written.get(TOLD_BY.get(name, ""), "")
            if name in PORTS:
                text = f"{text}:{PORTS[name]}"
            found = ADDRESS.fullmatch(text)
            if found and name not in persons:
                yield name, (found[1], int(found[2]))


def _answers(release: Render, address: Address) -> list[tuple[Place, int]]:
    """The pods behind a Service, each with the port that is meant."""
    host, number = address
    name, _, domain = host.partition(".")
    assert domain in {"", DOMAIN}, host
    for cluster in release.of("Cluster"):
        title = cluster["metadata"]["name"]
        if name in {f"{title}-rw", f"{title}-ro"}:
            servers = {"matchLabels": {"cnpg.io/cluster": title}}
            places = places_of(release)
            return [(each, number) for each in places if selects(servers, each.labels)]
    service = release.find("Service", name)
    assert service, f"no Service {name}"
    port = next(each for each in service["spec"]["ports"] if each["port"] == number)
    return list(_behind(release, service, port.get("targetPort", number)))


def _behind(
    release: Render, service: Object, target: str | int
) -> Iterator[tuple[Place, int]]:
    for place in places_of(release):
        if selects({"matchLabels": service["spec"]["selector"]}, place.labels):
            yield place, place.ports[target] if isinstance(target, str) else target


def _others(release: Render) -> dict[Address, Place]:
    """Milvus, a guard, the model's server and the spans', where they are in the same
    cluster."""
    settings = release.settings
    urls = [
        settings["engine"]["baseUrl"],
        settings["memory"]["milvus"]["uri"],
        settings["safety"]["guard"]["url"],
        settings["tracing"]["endpoint"],
    ]
    return {
        (each.hostname, each.port): Place("other", {}, {NAME: "elsewhere"})
        for each in map(urlsplit, urls)
        if each.hostname and each.port
    }


def test_who_is_told_to_call_is_let_through(release: Render) -> None:
    """Each address leads to pods of this release, or to a server beside it."""
    others = _others(release)
    calls = 0
    for workload in release.workloads:
        if workload.component == "secrets":
            continue
        caller = Place(workload.component, workload.labels)
        for name, address in _told(release, workload):
            found = (
                [(others[address], address[1])]
                if address in others
                else _answers(release, address)
            )
            assert found, f"{workload.name}: {name} leads nowhere"
            for place, port in found:
                told = f"{workload.name}: {name} leads to {place.name}:{port}"
                assert lets_through(release, caller, place, port), told
                calls += 1
    assert calls >= len(release.of("Service"))
