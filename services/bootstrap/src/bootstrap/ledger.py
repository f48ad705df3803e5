"""What was applied to each mind, by which a person's change is known."""

import json
from typing import Any

from bootstrap.fields import Fields
from bootstrap.kubernetes import Kubernetes
from servicekit.jobs import JobFailed

APPLIED = "applied.json"


class Ledger:
    """A ConfigMap that nobody else writes to."""

    def __init__(self, kubernetes: Kubernetes, kept: dict[str, Any]) -> None:
        self._kubernetes = kubernetes
        self._kept = kept
        text = (kept.get("data") or {}).get(APPLIED, "{}")
        try:
            self._agents: dict[str, Fields] = json.loads(text)
        except ValueError:
            name = kept["metadata"]["name"]
            raise JobFailed(
                f"{APPLIED} of the ConfigMap {name!r} is not JSON; remove it there"
            ) from None

    @classmethod
    async def open(cls, kubernetes: Kubernetes, name: str) -> "Ledger":
        """Reads it; JobFailed where a person broke it."""
        return cls(kubernetes, await kubernetes.get("configmaps", name))

    def of(self, agent_id: str) -> Fields:
        """What was applied to a mind so far."""
        return self._agents.get(agent_id, {})

    async def note(self, agent_id: str, applied: Fields) -> None:
        """Adds to what is known of a mind."""
        known = {**self.of(agent_id), **applied}
        if known == self.of(agent_id):
            return
        self._agents[agent_id] = known
        data = {APPLIED: json.dumps(self._agents, ensure_ascii=False, sort_keys=True)}
        self._kept = await self._kubernetes.patch(
            "configmaps", self._kept, {"data": data}
        )
