"""One installation on the cluster that KUBECONFIG names, shared in the files' order."""

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from tests.support.cluster.helm import Release
from tests.support.cluster.installation import Installation
from tests.support.cluster.measure import install_s
from tests.support.cluster.namespace import Namespace
from tests.support.cluster.story import story
from tests.support.cluster.waiting import eventually

NAME = "claude-agi-e2e"
GIVEN_S = 30.0
# Nothing that asks for more than this is let in.
LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}

figures = pytest.StashKey[dict[str, str]]()
places = pytest.StashKey[list[Namespace]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[figures] = {}
    config.stash[places] = []
    # The Kubernetes client leaves a socket that the server closed to the collector.
    left_open = "ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
    config.addinivalue_line("filterwarnings", left_open)


@pytest.fixture(scope="session")
def namespace(pytestconfig: pytest.Config) -> Iterator[Namespace]:
    """A namespace of this run's own."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no cluster: set KUBECONFIG")
    made = Namespace(NAME)
    made.create(LABELS)
    pytestconfig.stash[places].append(made)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def before(namespace: Namespace) -> set[str]:
    """What a namespace holds that nobody has used."""
    given = {"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"}
    eventually("it has that", lambda: given <= namespace.everything(), GIVEN_S)
    return namespace.everything()


@pytest.fixture(scope="session")
def installed(namespace: Namespace, before: set[str]) -> tuple[Installation, float]:
    """The chart, installed as on kind, and how long that took."""
    made = Installation(namespace, Release("mind", NAME))
    return made, install_s(made)


@pytest.fixture
def mind(installed: tuple[Installation, float]) -> Installation:
    """The mind that all scenarios share."""
    return installed[0]


@pytest.fixture
def installed_in_s(installed: tuple[Installation, float]) -> float:
    """How long Helm took."""
    return installed[1]


@pytest.fixture
def figure(pytestconfig: pytest.Config) -> Any:
    """Keeps a figure for the end of the report."""
    return pytestconfig.stash[figures].__setitem__


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with the pods, the events and the last lines of the logs."""
    report = yield
    if report.failed:
        for place in item.config.stash[places]:
            report.sections.append((f"namespace {place.name}", story(place)))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was measured."""
    for what, measured in config.stash[figures].items():
        terminalreporter.write_line(f"{what}: {measured}")
