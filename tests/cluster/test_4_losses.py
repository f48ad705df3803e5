"""Each pod is lost in turn, while callers call."""

from collections.abc import Callable

import pytest
from tests.support.cluster.installation import (
    SERVICES,
    STREAMS,
    Installation,
    assert_unbroken,
)
from tests.support.cluster.load import READS, load
from tests.support.cluster.measure import kill_under_load, running_pods
from tests.support.cluster.namespace import name_of
from tests.support.cluster.waiting import eventually

ANSWERED = 0.999
WRITES_AGAIN_S = 60.0
DATABASE = "postgresql"
REPLICA = "postgresql-replica"

Figure = Callable[[str, str], None]


@pytest.mark.timeout(900)
def test_each_pod_in_turn(mind: Installation, figure: Figure) -> None:
    with load(mind) as running:
        failed = {
            name_of(pod): kill_under_load(mind, running, pod)
            for pod in mind.namespace.pods(*SERVICES, "front", "cache", REPLICA)
        }
        outcome = running.stop()
    figure(f"{len(failed)} pods deleted in turn", outcome.summary)
    assert not outcome.failed_idempotent, (failed, outcome.reasons)
    assert outcome.share_answered >= ANSWERED
    assert_all_unbroken(mind)


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_that_dies_at_once(
    mind: Installation, service: str, figure: Figure
) -> None:
    with load(mind) as running:
        pod = mind.namespace.pods(service)[0]
        kill_under_load(mind, running, pod, grace_s=0)
        outcome = running.stop()
    figure(f"{service} killed without grace", outcome.summary)
    assert outcome.share_answered >= ANSWERED
    assert_all_unbroken(mind)


def test_without_the_cache_nothing_is_lost(mind: Installation) -> None:
    told = mind.call("POST", "/api/memory", {"content": "The cache is to be lost."})
    thoughts = mind.chain()
    (cache,) = mind.namespace.pods("cache")
    mind.namespace.delete("Pod", name_of(cache), grace_s=0)

    assert mind.call("GET", f"/api/memory/{told['id']}")["content"] == told["content"]
    made = mind.call("POST", "/api/thought/generate", {"context": "What was lost?"})
    chain = mind.chain()
    assert chain[: len(thoughts)] == thoughts
    assert made["id"] in [thought["id"] for thought in chain]


def test_without_the_primary_reads_go_on_and_writes_come_back(
    mind: Installation, figure: Figure
) -> None:
    told = mind.call("POST", "/api/memory", {"content": "The primary will be lost."})
    with load(mind, calls=READS) as running:
        (primary,) = mind.namespace.pods(DATABASE)
        kill_under_load(mind, running, primary)
        outcome = running.stop()
    figure("primary deleted, reads", outcome.summary)
    assert not outcome.failed, outcome.reasons

    def writes() -> bool:
        body = {"content": "Writes are back."}
        return mind.ask("POST", "/api/memory", body).is_success

    eventually("writes are back", writes, WRITES_AGAIN_S)
    assert mind.call("GET", f"/api/memory/{told['id']}")["content"] == told["content"]
    eventually("all pods are ready", lambda: running_pods(mind), WRITES_AGAIN_S)
    assert_all_unbroken(mind)


def assert_all_unbroken(mind: Installation) -> None:
    """Of every stream."""
    for stream in STREAMS:
        assert_unbroken(mind.chain(stream))
