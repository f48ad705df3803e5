"""A large memory, and pods that come, go and start again with it."""

import json
import time
from collections.abc import Callable

import pytest
from tests.support.cluster.installation import Installation
from tests.support.cluster.namespace import Object, name_of, ready
from tests.support.cluster.pods import ask_pod, measured
from tests.support.cluster.remembering import (
    MEMORY_SERVICE,
    memory_pods,
    note,
    take_in,
)
from tests.support.cluster.waiting import eventually

MEMORIES = 100_000
# All replicas take in what was imported, and build their indexes from it.
TAKEN_IN_S = 180.0
JOINED_S = 120.0
SAVED_S = 60.0
RESTARTED_S = 60.0
JOB_S = 60.0
LOADS = "claude_agi_memory_index_load_seconds_count"
SNAPSHOTS = "claude_agi_memory_snapshot_seconds_count"
# How process 1 of a container is told to end, as by the kubelet.
END = ("python", "-c", "import os; os.kill(1, 15)")
GARDEN = [
    "I planted tomatoes in the vegetable garden behind the house.",
    "The tomatoes in my vegetable garden need water every day.",
    "We picked the first ripe tomatoes from the vegetable garden.",
    "My vegetable garden gave us forty tomatoes this week.",
]
SECRET = "Carla Rossi lives in the house at the old harbour"

Figure = Callable[[str, str], None]


def vectors(mind: Installation, pod: str) -> int:
    """How many a pod's index has; 0 where it does not answer."""
    stats = ask_pod(mind, pod, "GET", "/api/memory/stats")
    return int(stats["index"]["vectors"]) if stats else 0


def found(
    mind: Installation, pod: str, query: str, agent: str = "default"
) -> list[str]:
    """What a pod recalls."""
    body = {"query": query, "agent_id": agent, "limit": 20}
    answer = ask_pod(mind, pod, "POST", "/api/memory/recall", body)
    assert answer, f"{pod} does not recall"
    return [memory["content"] for memory in answer["memories"]]


def lose_a_pod(mind: Installation) -> Object:
    """Deletes one of memory-service's pods; the one that comes for it, once ready."""
    before = {name_of(pod) for pod in mind.namespace.pods(MEMORY_SERVICE)}
    mind.namespace.delete("Pod", name_of(memory_pods(mind)[0]))

    def joined() -> list[Object]:
        return [pod for pod in memory_pods(mind) if name_of(pod) not in before]

    return eventually("another pod is ready", joined, JOINED_S)[0]


def restart(mind: Installation, pod: str) -> None:
    """Ends a pod's container, which the kubelet starts again; until it is ready."""
    ended = _restarts(mind, pod)
    mind.namespace.run(pod, *END)
    eventually(
        "the container starts again", lambda: _restarts(mind, pod) > ended, RESTARTED_S
    )
    eventually(
        "it is ready", lambda: ready(mind.namespace.get("Pod", pod)), RESTARTED_S
    )


def _restarts(mind: Installation, pod: str) -> int:
    statuses = mind.namespace.get("Pod", pod)["status"]["containerStatuses"]
    return sum(each["restartCount"] for each in statuses)


@pytest.mark.timeout(900)
def test_a_new_pod_is_ready_once_it_has_every_memory(
    mind: Installation, figure: Figure
) -> None:
    begun = time.monotonic()
    totals = take_in(mind, name_of(memory_pods(mind)[0]), MEMORIES)
    took_s = time.monotonic() - begun
    assert sum(each["imported"] for each in totals) == MEMORIES
    figure("import with vectors, within a pod", f"{MEMORIES / took_s:,.0f} memories/s")

    def taken_in() -> bool:
        return all(vectors(mind, name_of(p)) >= MEMORIES for p in memory_pods(mind))

    eventually("all replicas have all memories", taken_in, TAKEN_IN_S)

    begun = time.monotonic()
    pod = name_of(lose_a_pod(mind))
    joined_s = time.monotonic() - begun
    assert vectors(mind, pod) >= MEMORIES
    assert note(4711) in found(mind, pod, note(4711))
    assert measured(mind, pod, LOADS, source="snapshot") == 0
    figure(f"a pod joins at {MEMORIES:,} memories", f"ready after {joined_s:.1f} s")


@pytest.mark.timeout(300)
def test_a_container_that_starts_again_goes_on_from_its_snapshot(
    mind: Installation, figure: Figure
) -> None:
    pod = name_of(memory_pods(mind)[0])
    eventually(
        "there is a snapshot", lambda: measured(mind, pod, SNAPSHOTS) >= 1, SAVED_S
    )

    begun = time.monotonic()
    restart(mind, pod)
    took_s = time.monotonic() - begun

    assert measured(mind, pod, LOADS, source="snapshot") >= 1
    assert vectors(mind, pod) >= MEMORIES
    assert note(815) in found(mind, pod, note(815))
    loaded_s = measured(mind, pod, LOADS.replace("_count", "_sum"), source="snapshot")
    figure(
        f"a container starts again at {MEMORIES:,} memories",
        f"ready after {took_s:.1f} s, its indexes open in {loaded_s:.2f} s",
    )


def test_a_consolidation_runs_to_its_end(mind: Installation) -> None:
    told = [
        mind.call("POST", "/api/memory", {"content": text, "agent_id": "gardener"})
        for text in GARDEN
    ]
    job = mind.call("POST", "/api/memory/consolidate", {"agent_id": "gardener"})

    def ended() -> bool:
        nonlocal job
        job = mind.call("GET", f"/api/memory/jobs/{job['id']}")
        return job["state"] in {"done", "failed"}

    eventually("the job ends", ended, JOB_S)
    assert job["state"] == "done", job["error"]
    assert job["result"]["memories"] == 1
    where = "agent_id=gardener&memory_type=semantic"
    (learnt,) = mind.call("GET", f"/api/memory/recent?{where}")["memories"]
    assert learnt["evidence"] == "inferred"
    assert set(learnt["metadata"]["sources"]) <= {memory["id"] for memory in told}


@pytest.mark.timeout(300)
def test_what_is_forgotten_stays_so_in_every_pod(mind: Installation) -> None:
    told = {"content": SECRET, "agent_id": "clerk"}
    mind.call("POST", "/api/memory", told)
    exported = mind.ask("GET", "/api/memory/export?agent_id=clerk&embeddings=true")
    wanted = {"agent_id": "clerk", "value": "Carla Rossi"}
    assert mind.call("POST", "/api/memory/forget", wanted)["memories"] == 1

    newest = name_of(lose_a_pod(mind))
    restart(mind, newest)

    refused = mind.ask("POST", "/api/memory", told)
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("forgotten")
    totals = mind.take_in(exported.content, "&agent_id=clerk")
    assert totals == {"imported": 0, "skipped": 0, "failed": 1}
    for pod in memory_pods(mind):
        assert SECRET not in found(mind, name_of(pod), SECRET, "clerk")
    kept = mind.ask("GET", "/api/memory/export?agent_id=clerk").text
    assert SECRET not in [json.loads(line)["content"] for line in kept.splitlines()]
