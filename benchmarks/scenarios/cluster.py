"""The chart on the cluster that KUBECONFIG names: as in the tests, as figures."""

from tests.support.cluster.helm import Release
from tests.support.cluster.installation import SERVICES, Installation
from tests.support.cluster.load import load
from tests.support.cluster.measure import (
    first_thought_s,
    idle_use,
    install_s,
    kill_under_load,
    scale_out_s,
    upgrade_under_load,
)
from tests.support.cluster.namespace import Namespace
from tests.support.cluster.outcome import Outcome

from benchmarks.figures import Figure

NAME = "claude-agi-bench"
SECOND = "thoughtGenerator.podAnnotations.rollout=second"


async def measure() -> list[Figure]:
    """In a namespace of its own, removed afterwards."""
    namespace = Namespace(NAME)
    namespace.create({"pod-security.kubernetes.io/enforce": "restricted"})
    try:
        return _measure(Installation(namespace, Release("mind", NAME)))
    finally:
        namespace.remove()


def _measure(mind: Installation) -> list[Figure]:
    figures = [
        Figure("helm install --wait", "s", 60, install_s(mind)),
        Figure("first thought after that", "s", 15, first_thought_s(mind)),
    ]
    mind.settle()
    use = idle_use(mind.namespace)
    figures += [
        Figure("idle, all pods", "MiB", 1024, use.memory_mib),
        Figure("idle, all pods", "mCPU", 250, use.cpu_millis),
        Figure("load step to a new pod ready", "s", 45, scale_out_s(mind)),
    ]
    figures += _answered("rolling upgrade", upgrade_under_load(mind, SECOND))
    with load(mind) as running:
        for pod in mind.namespace.pods(*SERVICES, "front", "cache"):
            kill_under_load(mind, running, pod)
        figures += _answered("each pod deleted", running.stop())
    return figures


def _answered(what: str, outcome: Outcome) -> list[Figure]:
    idempotent = 100 * (1 - len(outcome.failed_idempotent) / outcome.sent)
    answered = 100 * outcome.share_answered
    return [
        Figure(f"{what}: idempotent calls answered", "%", 100, idempotent, True),
        Figure(f"{what}: calls answered", "%", 99.9, answered, True),
    ]
