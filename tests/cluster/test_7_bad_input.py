"""What is wrong is said where a person looks first."""

import base64
from collections.abc import Callable, Iterator

import pytest
from tests.support.cluster.helm import CHART, Release, helm
from tests.support.cluster.namespace import Namespace, name_of
from tests.support.cluster.waiting import eventually

SAID_S = 90.0
GONE_S = 120.0
PASSWORD = "told-to-nobody"
# Where the address came from.
SETTINGS = {
    "migrate": "ADMIN_DSN (postgresql.external.existingSecret, key rw)",
    "memory-service": "DATABASE_URL",
}


@pytest.fixture
def release(namespace: Namespace) -> Iterator[Release]:
    """A release that will not become healthy."""
    made = Release("wrong", namespace.name)
    yield made
    made.uninstall()
    eventually("its pods are gone", lambda: not namespace.pods(), GONE_S)


@pytest.fixture
def secret(namespace: Namespace) -> Iterator[str]:
    """The address of a database that nobody has."""
    name = "nowhere"
    dsn = f"postgresql://mind:{PASSWORD}@nowhere.invalid:5432/mind"
    data = {"rw": base64.b64encode(dsn.encode()).decode()}
    namespace.add(
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "data": data}
    )
    yield name
    namespace.delete("Secret", name)


def external(secret: str) -> tuple[str, str]:
    """Values for a database of one's own."""
    return "postgresql.mode=external", f"postgresql.external.existingSecret={secret}"


def last_lines(namespace: Namespace, component: str) -> list[str]:
    """What each init container that has begun wrote last."""
    return [
        line
        for pod in namespace.pods(component)
        for each in pod["spec"]["initContainers"]
        for line in namespace.log(name_of(pod), each["name"], lines=1)
    ]


def said(namespace: Namespace, component: str, reason: str) -> Callable[[], bool]:
    """Whether each of them gives the reason."""

    def all_say_it() -> bool:
        lines = last_lines(namespace, component)
        return bool(lines) and all(reason in line for line in lines)

    return all_say_it


def test_a_database_that_cannot_be_reached(
    namespace: Namespace, release: Release, secret: str
) -> None:
    release.install(*external(secret), wait=False)

    for component, setting in SETTINGS.items():
        reason = f"{setting}: no connection to nowhere.invalid:5432"
        eventually(
            f"{component} names {setting}", said(namespace, component, reason), SAID_S
        )
        assert PASSWORD not in "".join(last_lines(namespace, component))


def test_a_secret_that_is_not_there(namespace: Namespace) -> None:
    before = namespace.everything()
    options = [word for value in external("misspelt") for word in ("--set", value)]
    place = ("wrong", str(CHART), "-n", namespace.name)
    refused = helm("install", *place, *options, check=False)
    assert refused.returncode
    reason = "the Secret misspelt (postgresql.external.existingSecret) is not in"
    assert reason in refused.stderr
    assert namespace.everything() == before


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
    namespace: Namespace, kind: str, values: list[str]
) -> None:
    if namespace.has_kind(kind):
        pytest.skip(f"this cluster has {kind}")
    before = namespace.everything()
    options = [word for value in values for word in ("--set", value)]
    place = ("wrong", str(CHART), "-n", namespace.name)
    refused = helm("install", *place, *options, check=False)
    assert refused.returncode
    setting = values[0].partition("=")[0]
    assert setting in refused.stderr, refused.stderr
    assert namespace.everything() == before
