"""The figures of a mind in a cluster: what the tests assert and the benchmark shows."""

import time
from dataclasses import dataclass

from kubernetes.utils import parse_quantity

from tests.support.cluster.installation import SERVICES, Installation
from tests.support.cluster.load import Load, load
from tests.support.cluster.namespace import Namespace, Object, name_of, ready
from tests.support.cluster.outcome import Outcome
from tests.support.cluster.waiting import eventually

FIRST_THOUGHT_S = 60.0
SAMPLES = 6
SAMPLE_S = 10.0
SCALE_OUT_S = 120.0
REPLACED_S = 120.0
# How long the load goes on when everything is well again: late failures count too.
AFTERWARDS_S = 3.0


def install_s(mind: Installation) -> float:
    """Installs it on an empty namespace, until Helm finds it healthy."""
    begun = time.monotonic()
    mind.release.install()
    return time.monotonic() - begun


def first_thought_s(mind: Installation) -> float:
    """From now to the first thought."""
    begun = time.monotonic()
    eventually("a first thought", mind.chain, FIRST_THOUGHT_S)
    return time.monotonic() - begun


@dataclass(frozen=True)
class Use:
    """What all pods together use."""

    memory_mib: float
    cpu_millis: float


def idle_use(namespace: Namespace) -> Use:
    """Of about a minute: the most memory, the mean of the CPU."""
    samples = []
    for _ in range(SAMPLES):
        time.sleep(SAMPLE_S)
        samples.append(_use(namespace))
    return Use(
        max(each.memory_mib for each in samples),
        sum(each.cpu_millis for each in samples) / SAMPLES,
    )


def _use(namespace: Namespace) -> Use:
    used = [
        each["usage"]
        for pod in namespace.find("PodMetrics")
        for each in pod["containers"]
    ]
    return Use(
        sum(float(_quantity(each["memory"])) for each in used) / 2**20,
        sum(float(_quantity(each["cpu"])) for each in used) * 1000,
    )


def _quantity(text: str) -> float:
    return float(parse_quantity(text))  # type: ignore[no-untyped-call]


def scale_out_s(mind: Installation) -> float:
    """From a load step to the first new pod that is ready."""
    before = {name_of(pod) for pod in mind.namespace.pods(*SERVICES)}
    with load(mind):
        begun = time.monotonic()

        def more() -> list[str]:
            pods = mind.namespace.pods(*SERVICES)
            return [name_of(p) for p in pods if ready(p) and name_of(p) not in before]

        eventually("a new pod is ready", more, SCALE_OUT_S)
        return time.monotonic() - begun


def upgrade_under_load(mind: Installation, *values: str) -> Outcome:
    """What callers met while every pod of the services was replaced."""
    with load(mind) as running:
        mind.release.upgrade(*values)
        eventually("old pods are gone", lambda: _calm(mind), REPLACED_S)
        time.sleep(AFTERWARDS_S)
        return running.stop()


def kill_under_load(
    mind: Installation, running: Load, pod: Object, grace_s: int | None = None
) -> list[Object]:
    """Deletes a pod; returns the calls that failed until all was well again."""
    failed_before = len(running.so_far().failed)
    mind.namespace.delete("Pod", name_of(pod), grace_s)
    eventually(
        f"{name_of(pod)} is replaced",
        lambda: _gone(mind, pod) and _calm(mind),
        REPLACED_S,
    )
    time.sleep(AFTERWARDS_S)
    return running.so_far().failed[failed_before:]


def _gone(mind: Installation, pod: Object) -> bool:
    uids = [each["metadata"]["uid"] for each in mind.namespace.pods()]
    return pod["metadata"]["uid"] not in uids


def _calm(mind: Installation) -> bool:
    """Nothing comes or goes; what has ended does not count."""
    return all(map(ready, running_pods(mind)))


def running_pods(mind: Installation) -> list[Object]:
    """Its pods that are to stay: no Jobs."""
    labels = f"app.kubernetes.io/instance={mind.release.name}"
    return [
        pod
        for pod in mind.namespace.find("Pod", labels)
        if pod["spec"]["restartPolicy"] == "Always"
    ]
