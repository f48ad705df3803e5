"""Load from inside the cluster: a pod that runs `load_client.py`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.cluster.installation import FRONT_SERVICE_PORT, Installation
from tests.support.cluster.namespace import Object
from tests.support.cluster.outcome import Outcome
from tests.support.cluster.waiting import eventually

CLIENT = Path(__file__).with_name("load_client.py")
POD = "load"
RATE = 50
START_S = 60.0
STOP_S = 60.0
# As people use a mind: mostly asking, sometimes telling, now and then a thought.
MIX = ("recall", "thoughts", "validate", "memories", "recall") * 4 + (
    "remember",
    "remember",
    "think",
)
READS = ("recall", "memories")
IMAGE = "claude-agi/thought-generator:dev"


class Load:
    """The pod with the client."""

    def __init__(self, mind: Installation) -> None:
        self._mind = mind
        self._namespace = mind.namespace

    def start(self, rate: float, calls: tuple[str, ...]) -> None:
        """Returns when the first call was sent."""
        script = {"load_client.py": CLIENT.read_text()}
        labels = {"name": POD}
        self._namespace.add(
            {
                "kind": "ConfigMap",
                "apiVersion": "v1",
                "metadata": labels,
                "data": script,
            }
        )
        self._namespace.add(self._pod(rate, calls))
        eventually("the load begins", lambda: self.so_far().begun, START_S)

    def so_far(self) -> Outcome:
        """What the client has said."""
        return Outcome(list(map(json.loads, self._namespace.log(POD, lines=100_000))))

    def stop(self) -> Outcome:
        """Lets the client finish and returns what came back."""
        self._namespace.run(POD, "python", "-c", "import os; os.kill(1, 15)")
        eventually("the load ends", lambda: self.so_far().ended, STOP_S)
        return self.so_far()

    def remove(self) -> None:
        """Takes the pod away."""
        self._namespace.delete("Pod", POD, grace_s=0)
        self._namespace.delete("ConfigMap", POD)

    def _pod(self, rate: float, calls: tuple[str, ...]) -> Object:
        fullname = self._mind.release.fullname
        key = {"name": f"{fullname}-api-keys", "key": "admin"}
        container = {
            "name": POD,
            "image": IMAGE,
            "command": ["python", "/client/load_client.py"],
            "env": [
                {"name": "ADDRESS", "value": f"http://{fullname}:{FRONT_SERVICE_PORT}"},
                {"name": "RATE", "value": str(rate)},
                {"name": "CALLS", "value": ",".join(calls)},
                {"name": "KEY", "valueFrom": {"secretKeyRef": key}},
            ],
            "volumeMounts": [{"name": "client", "mountPath": "/client"}],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": POD},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [{"name": "client", "configMap": {"name": POD}}],
            },
        }


@contextmanager
def load(
    mind: Installation, rate: float = RATE, calls: tuple[str, ...] = MIX
) -> Iterator[Load]:
    """Load for the time of the block."""
    running = Load(mind)
    try:
        running.start(rate, calls)
        yield running
    finally:
        running.remove()
