"""What is left of it afterwards, and what was asked to stay."""

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


def test_nothing_is_left(mind: Installation, before: set[str]) -> None:
    mind.release.uninstall()
    eventually(
        "nothing is left of it",
        lambda: mind.namespace.everything() == before,
        GONE_S,
    )
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
        f"Secret/{fullname}-api-keys",
        f"Secret/{fullname}-internal",
        *(
            f"PersistentVolumeClaim/{name_of(claim)}"
            for claim in again.namespace.find("PersistentVolumeClaim")
        ),
    }
    eventually(
        "only that is left",
        lambda: again.namespace.everything() - before == kept,
        GONE_S,
    )

    again.release.install(*SMALL, KEEP)
    assert again.secret("admin") == key
    found = again.call("GET", f"/api/memory/{told['id']}")
    assert found["content"] == told["content"]
