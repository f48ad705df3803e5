"""A small Kubernetes API server: keeps objects, and refuses what it is told to."""

import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

NAMESPACE = "minds"
TOKEN = "token-of-the-pod"
HOST = "127.0.0.1"

Object = dict[str, Any]


@dataclass
class FakeKubernetes:
    """Objects of one namespace by resource and name; versions grow by each change."""

    port: int = 0
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    # (verb, status, how often): what the next calls meet instead of an answer.
    failures: list[tuple[str, int, int]] = field(default_factory=list)
    answered: list[tuple[str, int]] = field(default_factory=list)

    def add(self, resource: str, name: str, data: dict[str, str] | None = None) -> None:
        """An object; without data it has no such field, as the chart makes it."""
        made: Object = {"metadata": {"name": name, "resourceVersion": "1"}}
        self.objects[resource, name] = made if data is None else made | {"data": data}

    def data(self, resource: str, name: str) -> dict[str, str]:
        """What an object holds."""
        found: dict[str, str] = self.objects[resource, name].get("data", {})
        return found

    def fail_on(self, verb: str, status: int, times: int = 1) -> None:
        """The next calls of that verb get this status."""
        self.failures.append((verb, status, times))

    async def get(self, request: web.Request) -> web.Response:
        return self._answer("get", request, None)

    async def patch(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/merge-patch+json"
        assert request.query["fieldManager"]
        return self._answer("patch", request, await request.json())

    def _answer(
        self, verb: str, request: web.Request, body: Object | None
    ) -> web.Response:
        status, found = self._find(verb, request)
        if body is not None and status == 200:
            status = _merge(found, body)
        self.answered.append((verb, status))
        # Its own words may quote what was sent.
        failure = {"kind": "Status", "code": status, "message": f"no: {body}"}
        return web.json_response(found if status == 200 else failure, status=status)

    def _find(self, verb: str, request: web.Request) -> tuple[int, Object]:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {}
        for place, (failing, status, times) in enumerate(self.failures):
            if failing == verb:
                left = [(verb, status, times - 1)] if times > 1 else []
                self.failures[place : place + 1] = left
                return status, {}
        key = (request.match_info["resource"], request.match_info["name"])
        if request.match_info["namespace"] != NAMESPACE or key not in self.objects:
            return 404, {}
        return 200, self.objects[key]


def _merge(found: Object, body: Object) -> int:
    """RFC 7396, one level deep beneath `data`; 409 for an older version, if any."""
    metadata = found["metadata"]
    if body["metadata"].get("resourceVersion") not in {
        None,
        metadata["resourceVersion"],
    }:
        return 409
    merged = {**deepcopy(found.get("data", {})), **body["data"]}
    found["data"] = {key: text for key, text in merged.items() if text is not None}
    metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
    return 200


@asynccontextmanager
async def fake_kubernetes(account: Path) -> AsyncIterator[FakeKubernetes]:
    """A server by TLS; `account` gets what the kubelet gives a pod to know it by."""
    certificate, key = account / "ca.crt", account / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=fake"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", f"subjectAltName=IP:{HOST}"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    (account / "token").write_text(f"{TOKEN}\n")
    (account / "namespace").write_text(NAMESPACE)
    fake = FakeKubernetes()
    application = web.Application()
    path = "/api/v1/namespaces/{namespace}/{resource}/{name}"
    application.router.add_get(path, fake.get)
    application.router.add_patch(path, fake.patch)
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(certificate, key)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0, ssl_context=trusted)
    await site.start()
    fake.port = runner.addresses[0][1]
    try:
        yield fake
    finally:
        await runner.cleanup()
