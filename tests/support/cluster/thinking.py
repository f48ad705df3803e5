"""Minds that think quickly, and which pod thinks how many of their streams."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.support.cluster.installation import STREAMS, Installation
from tests.support.cluster.namespace import name_of, ready
from tests.support.cluster.pods import measured
from tests.support.cluster.waiting import eventually

THOUGHT_GENERATOR = "thought-generator"
AGENTS = ("ebb", "flow", "slack")
# Seven and a half thoughts a second: enough to see a pause, not to fill two cores.
INTERVAL_S = 2.0
MOVED_S = 120.0
THINKS_ON_S = 30.0
AGENTS_PATH = "/api/thought/agents"

Chains = dict[tuple[str, str], list[Any]]


def make_quick_minds(mind: Installation) -> None:
    """Three more minds, whose five streams are quick."""
    streams = {name: {"interval_seconds": INTERVAL_S} for name in STREAMS}
    for agent in AGENTS:
        mind.call("PUT", f"{AGENTS_PATH}/{agent}", {"streams": streams})


def remove_quick_minds(mind: Installation) -> None:
    """With all that they thought."""
    for agent in AGENTS:
        mind.ask("DELETE", f"{AGENTS_PATH}/{agent}")


def bound_pods(mind: Installation, least: int, most: int) -> dict[str, int]:
    """Bounds of the autoscaler, which it keeps to at once; those from before."""
    name = f"{mind.release.fullname}-{THOUGHT_GENERATOR}"
    spec = mind.namespace.get("HorizontalPodAutoscaler", name)["spec"]
    change = {"spec": {"minReplicas": least, "maxReplicas": most}}
    mind.namespace.patch("HorizontalPodAutoscaler", name, change)
    return {"least": spec["minReplicas"], "most": spec["maxReplicas"]}


def await_shares(mind: Installation, pods: int) -> list[int]:
    """Waits until so many pods think all streams in fair shares: these, in order."""
    total = _streams(mind)

    def shares() -> list[int]:
        counts = sorted(_owned(mind))
        fair = len(counts) == pods and sum(counts) == total
        return counts if fair and counts[-1] - counts[0] <= 1 else []

    return eventually(f"{pods} pods share {total} streams", shares, MOVED_S)


def _streams(mind: Installation) -> int:
    """How many should be thinking."""
    agents = mind.call("GET", AGENTS_PATH)["agents"]
    return sum(
        stream["enabled"]
        for agent in agents
        if agent["state"] == "running"
        for stream in agent["streams"].values()
    )


def _owned(mind: Installation) -> list[int]:
    """How many each pod says that it thinks, of those that are to stay."""
    pods = mind.namespace.pods(THOUGHT_GENERATOR)
    return [
        int(measured(mind, name_of(pod), "active_consciousness_streams"))
        for pod in pods
        if ready(pod)
    ]


def quick_chains(mind: Installation) -> Chains:
    """Every thought of each quick stream, oldest first."""
    return {
        (agent, stream): mind.chain(stream, agent)
        for agent in AGENTS
        for stream in STREAMS
    }


def think_on(mind: Installation) -> Chains:
    """The chains once each stream has thought again."""
    before = quick_chains(mind)

    def grown() -> Chains:
        after = quick_chains(mind)
        longer = all(len(after[each]) > len(before[each]) for each in before)
        return after if longer else {}

    return eventually("every stream thinks on", grown, THINKS_ON_S)


def longest_pause_s(before: Chains, after: Chains) -> float:
    """Between two thoughts of one stream, from the last of `before` on."""
    pauses = [
        datetime.fromisoformat(later["created_at"])
        - datetime.fromisoformat(earlier["created_at"])
        for key, chain in after.items()
        for earlier, later in pairwise(chain[max(0, len(before[key]) - 1) :])
    ]
    return max(pauses, default=timedelta()).total_seconds()
