"""Who may call whom: what the policies let through is this table."""

import ipaddress
from itertools import product
from urllib.parse import urlsplit

import pytest
from tests.support.network import NAME, Place, lets_through, places_of
from tests.support.render import CHART, Render, render

Calls = set[tuple[str, str, int]]
SERVICES = ("thought-generator", "memory-service", "safety-validator")
# Among the release's own pods, where both ends are there.
CALLS: Calls = {
    ("thought-generator", "memory-service", 8080),
    ("thought-generator", "safety-validator", 8080),
    ("memory-service", "safety-validator", 8080),
    *product(("front", "trial"), SERVICES, (8080,)),
    *product(SERVICES, ("postgresql", "postgresql-replica"), (5432,)),
    *product(SERVICES, ("cache",), (6379,)),
    ("postgresql-replica", "postgresql", 5432),
    ("migrate", "postgresql", 5432),
    ("agents", "thought-generator", 8080),
    ("trial", "front", 8080),
    ("trial", "postgresql-replica", 5432),
}
# Servers of CloudNativePG, which ask each other and are read through one name.
CLUSTER_CALLS: Calls = {
    ("postgresql", "postgresql", 5432),
    ("postgresql", "postgresql", 8000),
    ("trial", "postgresql", 5432),
}
# One that nobody listens on.
ODD_PORT = 9999
NEIGHBOUR = Place("neighbour", {"app": "other"})
STRANGER = Place("stranger", {"app": "other"}, {NAME: "elsewhere"})


@pytest.fixture(scope="session")
def guarded(release: Render) -> Render:
    """A release with policies; without, there are none at all."""
    if release.settings["networkPolicy"]["enabled"]:
        return release
    assert not release.of("NetworkPolicy")
    return render("mind", CHART / "ci" / "default-values.yaml")


def _milvus_ports(release: Render) -> set[int]:
    return _port_of(release.settings["memory"]["milvus"]["uri"])


def _guard_ports(release: Render) -> set[int]:
    return _port_of(release.settings["safety"]["guard"]["url"])


def _tracing_ports(release: Render) -> set[int]:
    return _port_of(release.settings["tracing"]["endpoint"])


def _port_of(address: str) -> set[int]:
    port = urlsplit(address).port
    return {port} if port else set()


def _open(release: Render, sources: list[Place], targets: list[Place]) -> Calls:
    policy = release.settings["networkPolicy"]
    ports = {port for _, _, port in CALLS | CLUSTER_CALLS}
    ports |= {port for each in release.workloads for _, port in each.ports}
    for key in ("enginePorts", "externalPorts", "apiServerPorts", "backupPorts"):
        ports |= {*policy[key]}
    ports |= _milvus_ports(release) | _guard_ports(release)
    ports |= _tracing_ports(release)
    return {
        (source.name, target.name, port)
        for source, target, port in product(sources, targets, {*ports, 9187, ODD_PORT})
        if lets_through(release, source, target, port)
    }


def test_the_parts_call_each_other_by_the_table(guarded: Render) -> None:
    """All of it, and nothing else."""
    places = places_of(guarded)
    names = {each.name for each in places}
    calls = CALLS | CLUSTER_CALLS if guarded.of("Cluster") else CALLS
    wanted = {each for each in calls if {each[0], each[1]} <= names}
    assert _open(guarded, places, places) == wanted


def test_others_call_only_the_doors(guarded: Render) -> None:
    """Anyone the front; who watches or stands at the door, the services."""
    settings, targets = guarded.settings, places_of(guarded)
    policy, monitoring = settings["networkPolicy"], settings["monitoring"]
    watcher = Place("watcher", {}, policy["prometheusNamespaces"]["matchLabels"])
    door = Place("door", {}, policy["doorNamespaces"].get("matchLabels", {}))
    near = [NEIGHBOUR, STRANGER, watcher, door]
    balancer, scraper = (
        [Place(name, address=str(ipaddress.ip_network(each)[9])) for each in cidrs]
        for name, cidrs in (
            ("balancer", policy["doorCidrs"]),
            ("scraper", policy["prometheusCidrs"]),
        )
    )
    everyone = [*near, *balancer, *scraper, Place("outside", address="192.0.2.1")]
    watchers = ["watcher", *(each.name for each in scraper)]
    doors = ["door", *(each.name for each in balancer)]
    wanted: Calls = set(product(watchers, SERVICES, (8080,)))
    if settings["front"]["enabled"]:
        wanted |= {(each.name, "front", 8080) for each in everyone}
    if settings["ingress"]["enabled"] or settings["httpRoute"]["enabled"]:
        wanted |= set(product(doors, SERVICES, (8080,)))
    if guarded.of("Cluster"):
        # The operator may be anywhere.
        wanted |= {(each.name, "postgresql", 8000) for each in near}
        if monitoring["podMonitor"]["enabled"]:
            wanted |= set(product(watchers, ["postgresql"], (9187,)))
    assert _open(guarded, everyone, targets) == wanted


def test_the_parts_call_little_else(guarded: Render) -> None:
    """The model, the API server, and databases, vectors and spans of somebody else."""
    settings = guarded.settings
    policy, engine = settings["networkPolicy"], settings["engine"]
    model = ipaddress.ip_network(policy["engineCidrs"][0])[9]
    everywhere = [STRANGER, Place("outside", address=str(model))]
    parts = {each.name for each in places_of(guarded)}
    reached = [each.name for each in everywhere]
    kubernetes = policy["apiServerPorts"]
    callers: Calls = set(product(("secrets", "agents"), reached, kubernetes))
    if guarded.of("Cluster"):
        backups = [*kubernetes, *policy["backupPorts"]]
        callers |= set(product(["postgresql"], reached, backups))
    external = policy["externalPorts"]
    if settings["postgresql"]["mode"] == "external":
        callers |= set(product([*SERVICES, "migrate", "trial"], reached, external))
    if settings["cache"]["mode"] == "external":
        users = ["thought-generator", "memory-service"]
        callers |= set(product(users, reached, external))
    callers |= set(product(["memory-service"], reached, _milvus_ports(guarded)))
    callers |= set(product(["safety-validator"], reached, _guard_ports(guarded)))
    callers |= set(product(SERVICES, reached, _tracing_ports(guarded)))
    if engine["apiKey"] or engine["existingSecret"]:
        found = reached if engine["baseUrl"] else ["outside"]
        callers |= set(product(["thought-generator"], found, policy["enginePorts"]))
    wanted = {each for each in callers if each[0] in parts}
    assert _open(guarded, places_of(guarded), everywhere) == wanted


def test_the_model_is_called_only_where_it_is() -> None:
    """By its addresses, where they are known."""
    release = render("mind", CHART / "ci" / "external-values.yaml")
    thinker = next(each for each in places_of(release) if "thought" in each.name)
    assert lets_through(release, thinker, Place("in", address="10.20.3.4"), 8443)
    assert not lets_through(release, thinker, Place("out", address="10.21.3.4"), 8443)


def test_every_part_may_ask_for_names(guarded: Render) -> None:
    """By the cluster's DNS, over UDP and TCP, wherever it is."""
    policy = guarded.settings["networkPolicy"]
    servers = [
        Place("pods", {}, policy["dnsNamespaces"]["matchLabels"]),
        *(Place("node", address=each.split("/")[0]) for each in policy["dnsCidrs"]),
    ]
    asked = product(places_of(guarded), servers, policy["dnsPorts"], ("UDP", "TCP"))
    for place, server, port, protocol in asked:
        assert lets_through(guarded, place, server, port, protocol), place.name
