"""An installed mind, called through its one address as by `kubectl port-forward`."""

import base64
import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx2

from tests.support.cluster.helm import Release
from tests.support.cluster.namespace import Namespace, name_of, ready
from tests.support.cluster.waiting import eventually

STREAMS = ("primary", "subconscious", "emotional", "creative", "metacognitive")
SERVICES = ("thought-generator", "memory-service", "safety-validator")
FRONT_PORT = 8080
FRONT_SERVICE_PORT = 8000
FRONT_S = 60.0


class _ThroughTheFront(httpx2.BaseTransport):
    """Each request on a connection of its own to a front pod that is ready."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        fronts = eventually("a front pod is ready", self._fronts, FRONT_S)
        connection = self._namespace.connect(fronts[0], FRONT_PORT)
        try:
            connection.request(
                request.method,
                request.url.raw_path.decode(),
                request.read(),
                dict(request.headers),
            )
            answer = connection.getresponse()
            return httpx2.Response(
                answer.status, headers=answer.getheaders(), content=answer.read()
            )
        finally:
            connection.close()

    def _fronts(self) -> list[str]:
        return [name_of(pod) for pod in self._namespace.pods("front") if ready(pod)]


@dataclass
class Installation:
    """A release in its namespace."""

    namespace: Namespace
    release: Release
    _client: httpx2.Client | None = field(default=None, init=False)

    def secret(self, key: str) -> str:
        """A key that the installation made for its callers."""
        secret = self.namespace.get("Secret", f"{self.release.fullname}-api-keys")
        return base64.b64decode(secret["data"][key]).decode()

    def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Asks with the admin's key."""
        return self._caller().request(method, path, json=body)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The same where the answer has to be a good one."""
        answer = self.ask(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def take_in(self, lines: bytes, where: str = "") -> dict[str, int]:
        """Imports memories, a line each; the totals."""
        answer = self._caller().post(
            f"/api/memory/import?safety=patterns{where}",
            content=lines,
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert answer.is_success, f"import: {answer.status_code} {answer.text}"
        totals: dict[str, int] = json.loads(answer.text.splitlines()[-1])
        return totals

    def _caller(self) -> httpx2.Client:
        if self._client is None:
            self._client = httpx2.Client(
                transport=_ThroughTheFront(self.namespace),
                base_url=f"http://{self.release.fullname}",
                headers={"Authorization": f"Bearer {self.secret('admin')}"},
            )
        return self._client

    def chain(self, stream: str = "primary", agent: str = "default") -> list[Any]:
        """Every thought of a stream, oldest first."""
        thoughts: list[Any] = []
        cursor = ""
        while True:
            where = f"agent_id={agent}&stream={stream}&limit=1000{cursor}"
            page = self.call("GET", f"/api/thought/recent?{where}")
            thoughts += page["thoughts"]
            if page["next_cursor"] is None:
                return thoughts[::-1]
            cursor = f"&cursor={page['next_cursor']}"

    def settle(self, within_s: float = 180.0) -> None:
        """Waits until each autoscaler is at its minimum and nothing comes or goes."""

        def settled() -> bool:
            pods = self.namespace.pods(*SERVICES)
            scalers = self.namespace.find("HorizontalPodAutoscaler")
            least = sum(each["spec"]["minReplicas"] for each in scalers)
            return len(pods) == least and all(map(ready, pods))

        eventually("the autoscalers are at their minimum", settled, within_s)


def assert_unbroken(chain: list[Any]) -> None:
    """`seq` has no gap, `previous_id` no fork."""
    assert [thought["seq"] for thought in chain] == list(range(1, len(chain) + 1))
    for before, after in pairwise(chain):
        assert after["previous_id"] == before["id"]
