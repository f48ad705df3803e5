"""What one object says of another is so: selectors hit, names and keys exist."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.render import Object, Render, Workload, name_of
from tests.support.selectors import selects

NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
# What the Job of secrets puts into the two that the chart makes empty.
MADE = {
    "api-keys": {"admin", "read", "keys.json"},
    "internal": {
        *("service-key", "cache-password"),
        *("postgres-password", "replication-password"),
        *(f"{role}-password" for role in ("thinking", "memory", "safety")),
    },
}
# As well, with the hash of the servers behind them, which the Job is told.
ADDRESSES = ("thinking-url", "memory-url", "safety-url", "cache-url")
# What CloudNativePG makes beside a cluster.
OPERATORS = {"postgresql-app": {"uri"}}


def _hit(release: Render, selector: Object) -> list[Workload]:
    return [each for each in release.workloads if selects(selector, each.labels)]


def test_names_are_valid_and_used_once(release: Render) -> None:
    """In 63 characters, since names become labels and host names."""
    names = [name_of(each) for each in release.objects]
    assert len(names) == len(set(names))
    for thing in release.objects:
        assert NAME.fullmatch(thing["metadata"]["name"]), name_of(thing)


def test_owners_select_their_own_pods(release: Render) -> None:
    """And nobody else's."""
    for owner in release.of("Deployment", "StatefulSet"):
        found = _hit(release, owner["spec"]["selector"])
        assert [each.name for each in found] == [owner["metadata"]["name"]]
        for spread in found[0].spec.get("topologySpreadConstraints", []):
            assert _hit(release, spread["labelSelector"]) == found


def test_services_lead_to_open_ports(release: Render) -> None:
    """Each selects pods of one kind, and names ports that they listen on."""
    for service in release.of("Service"):
        hit = _hit(release, {"matchLabels": service["spec"]["selector"]})
        assert hit, name_of(service)
        for workload in hit:
            names, numbers = zip(*workload.ports, strict=True)
            for port in service["spec"]["ports"]:
                target = port.get("targetPort", port["port"])
                assert target in {*names, *numbers}, name_of(service)


def test_doors_lead_to_services(release: Render) -> None:
    """By names and ports that they have."""
    for door in release.of("Ingress", "HTTPRoute"):
        for name, port in _backends(door):
            service = release.find("Service", name)
            assert service, f"{name_of(door)} leads to {name}"
            ports = service["spec"]["ports"]
            assert port in {*(p["name"] for p in ports), *(p["port"] for p in ports)}


def _backends(door: Object) -> Iterator[tuple[str, str | int]]:
    for rule in door["spec"]["rules"]:
        for path in rule.get("http", {}).get("paths", []):
            service = path["backend"]["service"]
            (port,) = service["port"].values()
            yield service["name"], port
        for backend in rule.get("backendRefs", []):
            yield backend["name"], backend["port"]


def test_stateful_sets_have_a_governing_service(release: Render) -> None:
    """Headless, so that each of their pods has a name."""
    for owner in release.of("StatefulSet"):
        service = release.find("Service", owner["spec"]["serviceName"])
        assert service, name_of(owner)
        assert service["spec"]["clusterIP"] == "None", name_of(service)


def test_budgets_and_policies_hit_pods(release: Render) -> None:
    """A selector that hits nothing protects nothing."""
    database = {"cnpg.io/cluster": f"{release.prefix}-postgresql"}
    for budget in release.of("PodDisruptionBudget"):
        assert len(_hit(release, budget["spec"]["selector"])) == 1, name_of(budget)
    for policy in release.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]
        hit = _hit(release, selector) or (
            release.of("Cluster") and selects(selector, database)
        )
        assert hit, name_of(policy)


def test_autoscalers_own_the_number_of_pods(release: Render) -> None:
    """Nobody else says it, and what they measure is there."""
    scaled = release.of("HorizontalPodAutoscaler", "ScaledObject")
    owned = {each["spec"]["scaleTargetRef"]["name"]: each for each in scaled}
    assert len(owned) == len(scaled)
    for owner in release.of("Deployment", "StatefulSet"):
        name = owner["metadata"]["name"]
        assert ("replicas" in owner["spec"]) is (name not in owned), name_of(owner)
        containers = {
            each["name"] for each in owner["spec"]["template"]["spec"]["containers"]
        }
        assert set(_measured(owned.pop(name, {}))) <= containers
    assert not owned


def _measured(scaler: Object) -> Iterator[str]:
    spec = scaler.get("spec", {})
    for metric in spec.get("metrics", []):
        yield metric["containerResource"]["container"]
    for trigger in spec.get("triggers", []):
        if "containerName" in trigger["metadata"]:
            yield trigger["metadata"]["containerName"]


def test_monitors_find_their_targets(release: Render) -> None:
    """By the labels and the ports of Services."""
    for monitor in release.of("ServiceMonitor"):
        spec = monitor["spec"]
        hit = [
            each
            for each in release.of("Service")
            if selects(spec["selector"], each["metadata"]["labels"])
        ]
        assert hit, name_of(monitor)
        for service in hit:
            ports = {each["name"] for each in service["spec"]["ports"]}
            assert {each["port"] for each in spec["endpoints"]} <= ports
    for monitor in release.of("PodMonitor"):
        cluster = release.of("Cluster")[0]["metadata"]["name"]
        server = {"cnpg.io/cluster": cluster, "cnpg.io/podRole": "instance"}
        assert selects(monitor["spec"]["selector"], server)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_what_pods_read_is_there(release: Render, kind: str) -> None:
    """Made by the chart, with that key, or named in the values as the person's own."""
    for workload in release.workloads:
        for name, keys in _read(workload, kind):
            place = f"{workload.name} reads {kind}/{name}: {keys}"
            there = _keys(release, kind, name)
            assert there is not None, place
            assert keys <= there, place


def _keys(release: Render, kind: str, name: str) -> set[str] | None:
    """What it has, None where nobody makes it."""
    settings, thing = release.settings, release.find(kind, name)
    persons: dict[str, set[str]] = {
        settings["auth"]["existingSecret"]: MADE["api-keys"],
        settings["engine"]["existingSecret"]: {"api-key"},
        settings["memory"]["milvus"]["existingSecret"]: {"token"},
        settings["safety"]["guard"]["existingSecret"]: {"api-key"},
        settings["postgresql"]["external"]["existingSecret"]: {"rw", "ro", "direct"},
        settings["cache"]["external"]["existingSecret"]: {"url"},
    }
    part = name.removeprefix(f"{release.prefix}-")
    if thing:
        made = MADE.get(part, set())
        if part == "internal":
            told = release.of_component("secrets").container("secrets")["env"]
            (end,) = (each["value"] for each in told if each["name"] == "ADDRESSES")
            made = {*made, *(f"{address}-{end}" for address in ADDRESSES)}
        return {*made, *thing.get("data", {}), *thing.get("stringData", {})}
    if release.of("Cluster") and part in OPERATORS:
        return OPERATORS[part]
    return persons.get(name)


def _read(workload: Workload, kind: str) -> Iterator[tuple[str, set[str]]]:
    """Names and keys, but for those that may be absent."""
    field, reference = (
        ("configMap", "configMapKeyRef")
        if kind == "ConfigMap"
        else ("secret", "secretKeyRef")
    )
    for volume in workload.spec.get("volumes", []):
        projected: list[Any] = volume.get("projected", {}).get("sources", [])
        for source in [volume, *projected]:
            if field in source:
                found = source[field]
                items = {each["key"] for each in found.get("items", [])}
                yield found.get("name") or found["secretName"], items
    for container in workload.containers:
        assert "envFrom" not in container
        for variable in container.get("env", []):
            found = variable.get("valueFrom", {}).get(reference)
            if found and not found.get("optional"):
                yield found["name"], {found["key"]}
