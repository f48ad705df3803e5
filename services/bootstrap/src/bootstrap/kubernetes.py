"""The Kubernetes API, called as this pod's own account."""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
import orjson

from servicekit.jobs import JobFailed, NotYet, read_setting

# Where the kubelet puts what a pod knows the API by.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 10.0
# Names whoever set a field; an upgrade by Helm leaves what is not its own.
FIELD_MANAGER = "claude-agi-bootstrap"
KINDS = {"secrets": "Secret", "configmaps": "ConfigMap"}

Resource = Literal["secrets", "configmaps"]
Object = dict[str, Any]


class Kubernetes:
    """Reads and patches single objects of the pod's namespace.

    All that a second try may mend is NotYet: a Role may come after the pod.
    """

    def __init__(self) -> None:
        host = read_setting("KUBERNETES_SERVICE_HOST")
        port = read_setting("KUBERNETES_SERVICE_PORT")
        self._host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._namespace = _read("namespace")
        trusted = ssl.create_default_context(cadata=_read("ca.crt"))
        # Clusters' own authorities often lack what RFC 5280 asks of public ones.
        trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, resource: Resource, name: str) -> Object:
        """The object."""
        return await self._call("get", resource, name, None)

    async def patch(self, resource: Resource, known: Object, changes: Object) -> Object:
        """Merges into the object, unless it is not any more as it was known."""
        version = known["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, **changes}
        name = known["metadata"]["name"]
        return await self._call("patch", resource, name, body)

    async def _call(
        self,
        verb: Literal["get", "patch"],
        resource: Resource,
        name: str,
        body: Object | None,
    ) -> Object:
        url = f"https://{self._host}/api/v1/namespaces/{self._namespace}/{resource}/{name}"
        # The token is renewed while the pod lives.
        headers = {"Authorization": f"Bearer {_read('token')}"}
        options: Object = {"headers": headers}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
            options["data"] = orjson.dumps(body)
            options["params"] = {"fieldManager": FIELD_MANAGER}
        try:
            async with self._session.request(verb.upper(), url, **options) as answer:
                if answer.status == 200:
                    found: Object = orjson.loads(await answer.read())
                    return found
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise NotYet(f"no Kubernetes API at {self._host}: {reason}") from error
        raise self._refusal(answer.status, verb, resource, name)

    def _refusal(self, status: int, verb: str, resource: str, name: str) -> Exception:
        """What an answer means; its own words may quote what was sent."""
        kind, namespace = KINDS[resource], self._namespace
        if status == 401:
            return NotYet("the Kubernetes API does not know this pod's token")
        if status == 403:
            return NotYet(
                f"this pod's account may not {verb} the {kind} {name!r} in namespace "
                f"{namespace!r}: it needs a Role with the verbs get and patch on "
                f"{resource} and {name!r} among its resourceNames, and a RoleBinding"
            )
        if status == 404:
            return NotYet(f"there is no {kind} {name!r} in namespace {namespace!r}")
        if status == 409:
            return NotYet(f"somebody else changed the {kind} {name!r} meanwhile")
        if status == 429 or status >= 500:
            return NotYet(f"the Kubernetes API answers {status}")
        return JobFailed(
            f"the Kubernetes API refuses to {verb} the {kind} {name!r} ({status}); "
            "is it immutable?"
        )


def _read(name: str) -> str:
    try:
        return (ACCOUNT / name).read_text().strip()
    except OSError as error:
        raise JobFailed(
            f"{error}: the pod needs automountServiceAccountToken: true"
        ) from error
