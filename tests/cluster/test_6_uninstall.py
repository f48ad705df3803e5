"""What is left of it afterwards, and what was asked to stay."""

from contextlib import suppress

import pytest
from tests.support.cluster.installation import Installation
from tests.support.cluster.namespace import Namespace, name_of
from tests.support.cluster.waiting import eventually

GONE_S = 120.0
SMALL = [
    f"{service}.{value}"
    for service in ("thoughtGenerator", "memoryService", "safetyValidator")
    for value in ("autoscaling.type=none", "replicas=1")
]
KEEP = "postgresql.bundled.persistence.keep=true"


def volumes(namespace: Namespace) -> list[str]:
    """Volumes of the cluster that this namespace claimed."""
    return [
        name_of(volume)
        for volume in namespace.find_anywhere("PersistentVolume")
        if volume["spec"].get("claimRef", {}).get("namespace") == namespace.name
    ]


def until_it_holds(namespace: Namespace, expected: set[str]) -> None:
    """Waits until the namespace holds just that."""
    with suppress(AssertionError):
        eventually("", lambda: namespace.everything() == expected, GONE_S)
    assert namespace.everything() == expected


def test_nothing_is_left(mind: Installation, before: set[str]) -> None:
    mind.release.uninstall()
    until_it_holds(mind.namespace, before)
    eventually("its volumes are gone", lambda: not volumes(mind.namespace), GONE_S)


@pytest.mark.timeout(600)
def test_what_was_asked_to_stay_is_taken_up_again(
    mind: Installation, before: set[str]
) -> None:
    again = Installation(mind.namespace, mind.release)
    again.release.install(*SMALL, KEEP)
    told = again.call("POST", "/api/memory", {"content": "This is to be kept."})
    key = again.secret("admin")
    again.release.uninstall()

    fullname = again.release.fullname
    kept = {
        ("Secret", f"{fullname}-api-keys"),
        ("Secret", f"{fullname}-internal"),
        ("PersistentVolumeClaim", f"data-{fullname}-postgresql-0"),
    }
    until_it_holds(again.namespace, before | {"/".join(each) for each in kept})

    again.release.install(*SMALL, KEEP)
    assert again.secret("admin") == key
    found = again.call("GET", f"/api/memory/{told['id']}")
    assert found["content"] == told["content"]

    again.release.uninstall()
    for kind, name in kept:
        again.namespace.delete(kind, name)
    until_it_holds(again.namespace, before)
