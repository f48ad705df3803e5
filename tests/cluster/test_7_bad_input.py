"""What is wrong is said where a person looks first."""

import base64
from collections.abc import Iterator

import pytest
from tests.support.cluster.helm import CHART, Release, helm
from tests.support.cluster.namespace import Namespace, name_of
from tests.support.cluster.waiting import eventually

SAID_S = 90.0


@pytest.fixture
def release(namespace: Namespace) -> Iterator[Release]:
    """A release that will not become healthy."""
    made = Release("wrong", namespace.name)
    yield made
    made.uninstall()


@pytest.fixture
def secret(namespace: Namespace) -> Iterator[str]:
    """The address of a database that nobody has."""
    name = "nowhere"
    dsn = "postgresql://mind:secret@nowhere.invalid:5432/mind"
    data = {"rw": base64.b64encode(dsn.encode()).decode()}
    namespace.add(
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "data": data}
    )
    yield name
    namespace.delete("Secret", name)


def external(secret: str) -> tuple[str, str]:
    """Values for a database of one's own."""
    return "postgresql.mode=external", f"postgresql.external.existingSecret={secret}"


def test_a_database_that_cannot_be_reached(
    namespace: Namespace, release: Release, secret: str
) -> None:
    release.install(*external(secret), wait=False)

    def said() -> bool:
        (pod,) = namespace.pods("migrate")
        (line,) = namespace.log(name_of(pod), "roles", lines=1) or [""]
        return "postgresql.external.existingSecret" in line and "nowhere" in line

    eventually("the last line names the setting", said, SAID_S)
    # The password is no part of it.
    for pod in namespace.pods("migrate"):
        assert "secret@" not in "\n".join(namespace.log(name_of(pod), "roles", 100))


def test_a_secret_that_is_not_there(namespace: Namespace, release: Release) -> None:
    release.install(*external("misspelt"), wait=False)

    def said() -> bool:
        messages = [each["message"] for each in namespace.find("Event")]
        return any('secret "misspelt" not found' in message for message in messages)

    eventually("an event names the secret", said, SAID_S)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("Cluster", ["postgresql.mode=cnpg"]),
        ("ServiceMonitor", ["monitoring.serviceMonitor.enabled=true"]),
        ("PrometheusRule", ["monitoring.rules.enabled=true"]),
        (
            "ScaledObject",
            [
                "thoughtGenerator.autoscaling.type=keda",
                "thoughtGenerator.autoscaling.keda.serverAddress=http://prometheus:9090",
            ],
        ),
        (
            "HTTPRoute",
            ["httpRoute.enabled=true", "httpRoute.parentRefs[0].name=public"],
        ),
    ],
)
def test_an_operator_that_is_not_there(
    namespace: Namespace, before: set[str], kind: str, values: list[str]
) -> None:
    if namespace.has_kind(kind):
        pytest.skip(f"this cluster has {kind}")
    options = [word for value in values for word in ("--set", value)]
    place = ("wrong", str(CHART), "-n", namespace.name)
    refused = helm("install", *place, *options, check=False)
    assert refused.returncode
    setting = values[0].partition("=")[0]
    assert setting in refused.stderr, refused.stderr
    assert namespace.everything() == before
