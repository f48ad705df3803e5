"""Every object is one that Kubernetes, or the operator whose it is, would take."""

import pytest
from tests.support.render import Render, name_of
from tests.support.schemas import find_custom_faults, find_fault, is_custom


def test_kubernetes_knows_every_field(release: Render) -> None:
    """Strictly: what the API server would drop in silence is a fault too."""
    own = [each for each in release.objects if not is_custom(each)]
    faults = {name_of(each): fault for each in own if (fault := find_fault(each))}
    assert own
    assert not faults


def test_operators_know_every_field(release: Render) -> None:
    """By the definitions of custom resources that the operators ship."""
    custom = [each for each in release.objects if is_custom(each)]
    found = ((each, list(find_custom_faults(each))) for each in custom)
    faults = {name_of(each): them for each, them in found if them}
    assert not faults


@pytest.mark.parametrize(
    ("thing", "fault"),
    [
        (
            {"apiVersion": "v1", "kind": "Service", "spec": {"port": 1}},
            "spec: Additional properties are not allowed ('port' was unexpected)",
        ),
        (
            {"apiVersion": "batch/v1beta1", "kind": "CronJob"},
            "kind CronJob with api version batch/v1beta1",
        ),
    ],
)
def test_a_wrong_object_is_found(thing: dict[str, object], fault: str) -> None:
    """What the tests above rely on."""
    assert fault in str(find_fault(thing))


def test_a_wrong_custom_object_is_found() -> None:
    """What the tests above rely on."""
    cluster = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "three"},
        "spec": {"instances": "three", "storage": {"sise": "1Gi"}},
    }
    assert len(list(find_custom_faults(cluster))) == 2
