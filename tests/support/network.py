"""What NetworkPolicies let through, as a network plugin would decide it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.render import NAMESPACE, Object, Render
from tests.support.selectors import selects

NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Place:
    """A pod, or with an address: something outside of the cluster."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: Mapping[str, str] = field(default_factory=lambda: {NAME: NAMESPACE})
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether the release's policies may speak of it."""
        return not self.address and self.namespace.get(NAME) == NAMESPACE


def places_of(release: Render) -> list[Place]:
    """The release's own pods, also those that an operator makes of it."""
    pods = [
        Place(each.component, each.labels, ports=dict(each.ports))
        for each in release.workloads
    ]
    for cluster in release.of("Cluster"):
        labels = {"cnpg.io/cluster": cluster["metadata"]["name"]}
        pods.append(Place("postgresql", labels))
    return pods


def lets_through(
    release: Render, source: Place, target: Place, port: int, protocol: str = "TCP"
) -> bool:
    """Whether a connection may be made: both ends have their say."""
    policies = [each["spec"] for each in release.of("NetworkPolicy")]
    asked = (target, port, protocol)
    return _permits(policies, "Egress", source, target, asked) and _permits(
        policies, "Ingress", target, source, asked
    )


def _permits(
    policies: list[Object],
    way: str,
    here: Place,
    there: Place,
    asked: tuple[Place, int, str],
) -> bool:
    mine = [
        spec
        for spec in policies
        if here.is_ours
        and way in spec["policyTypes"]
        and selects(spec["podSelector"], here.labels)
    ]
    rules = [rule for spec in mine for rule in spec.get(way.lower(), [])]
    peers = "to" if way == "Egress" else "from"
    return not mine or any(
        _has_peer(rule.get(peers), there) and _has_port(rule.get("ports"), *asked)
        for rule in rules
    )


def _has_peer(peers: list[Object] | None, place: Place) -> bool:
    return not peers or any(_is_peer(peer, place) for peer in peers)


def _is_peer(peer: Object, place: Place) -> bool:
    if "ipBlock" in peer:
        assert "except" not in peer["ipBlock"]
        network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return bool(place.address) and ipaddress.ip_address(place.address) in network
    if place.address:
        return False
    if "namespaceSelector" in peer:
        near = selects(peer["namespaceSelector"], place.namespace)
    else:
        near = place.is_ours
    return near and selects(peer.get("podSelector", {}), place.labels)


def _has_port(
    ports: list[Object] | None, target: Place, port: int, protocol: str
) -> bool:
    return not ports or any(
        each.get("protocol", "TCP") == protocol
        and target.ports.get(each["port"], each["port"]) == port
        for each in ports
    )
