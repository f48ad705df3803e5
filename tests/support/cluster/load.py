"""Load from inside the cluster: a pod that runs `load_client.py`."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.cluster.installation import FRONT_SERVICE_PORT, Installation
from tests.support.cluster.namespace import Object
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


@dataclass
class Outcome:
    """What came back, as far as the client has said."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        """Whether the first call was sent."""
        return any("begun" in line for line in self.lines)

    @property
    def ended(self) -> dict[str, Any] | None:
        """The last line, once it is there."""
        return next((line for line in self.lines if "sent" in line), None)

    @property
    def sent(self) -> int:
        """How many calls there were."""
        assert self.ended
        return sum(self.ended["sent"].values())

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Every failed call."""
        return [line for line in self.lines if "failed" in line]

    @property
    def failed_idempotent(self) -> list[dict[str, Any]]:
        """Those that a caller might have sent twice without harm."""
        return [line for line in self.failed if line["idempotent"]]

    @property
    def reasons(self) -> Counter[str]:
        """Why calls failed, and how many did."""
        return Counter(f"{line['failed']}: {line['why'][:200]}" for line in self.failed)

    @property
    def summary(self) -> str:
        """In a line."""
        assert self.ended
        return (
            f"{len(self.failed)} of {self.sent} calls failed, "
            f"{len(self.failed_idempotent)} idempotent; "
            f"p50 {self.ended['p50_ms']:.0f} ms, p99 {self.ended['p99_ms']:.0f} ms"
        )

    @property
    def share_answered(self) -> float:
        """Of all calls."""
        return 1 - len(self.failed) / self.sent


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
    running.start(rate, calls)
    try:
        yield running
    finally:
        running.remove()
