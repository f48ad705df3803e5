"""A namespace of the cluster that KUBECONFIG names.

Objects are dicts, as in a manifest.
"""

from contextlib import suppress
from http.client import HTTPConnection
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from kubernetes.stream import portforward, stream

from tests.support.cluster.waiting import eventually

Object = dict[str, Any]

COMPONENT = "app.kubernetes.io/component"
# What the cluster itself writes beside anything that runs.
NOTES = {"Event", "Endpoints", "EndpointSlice"}
REMOVAL_S = 120.0


class Namespace:
    """Makes, finds and removes objects; runs commands; opens connections."""

    def __init__(self, name: str) -> None:
        config.load_kube_config()  # type: ignore[no-untyped-call]
        self.name = name
        self._kinds = DynamicClient(client.ApiClient())  # type: ignore[no-untyped-call]

    def create(self, labels: dict[str, str]) -> None:
        """Begins anew: what an interrupted run left behind goes first."""
        self.remove()
        body = {"metadata": {"name": self.name, "labels": labels}}
        self._kind("Namespace").create(body=body)

    def remove(self) -> None:
        """Removes it with all that is in it, and waits for that."""
        kind = self._kind("Namespace")

        def gone() -> bool:
            with suppress(ConflictError):
                try:
                    kind.delete(name=self.name)
                except NotFoundError:
                    return True
            return False

        eventually(f"namespace {self.name} is gone", gone, REMOVAL_S)

    def find(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind with these labels."""
        found = self._kind(kind).get(namespace=self.name, label_selector=selector)
        listed: list[Object] = found.to_dict()["items"]
        return listed

    def find_anywhere(self, kind: str) -> list[Object]:
        """All objects of a kind that belong to no namespace."""
        listed: list[Object] = self._kind(kind).get().to_dict()["items"]
        return listed

    def get(self, kind: str, name: str) -> Object:
        """One object."""
        found: Object = self._kind(kind).get(name=name, namespace=self.name).to_dict()
        return found

    def add(self, manifest: Object) -> None:
        """Makes an object."""
        self._kind(manifest["kind"]).create(body=manifest, namespace=self.name)

    def patch(self, kind: str, name: str, change: Object) -> None:
        """Merges a change into an object."""
        self._kind(kind).patch(
            name=name,
            namespace=self.name,
            body=change,
            content_type="application/merge-patch+json",
        )

    def delete(self, kind: str, name: str, grace_s: int | None = None) -> None:
        """Deletes an object, if it is there; a pod gets its own grace unless told."""
        options = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        with suppress(NotFoundError):
            self._kind(kind).delete(name=name, namespace=self.name, body=options)

    def pods(self, *components: str) -> list[Object]:
        """The pods of these components of a release, all without a name."""
        labels = f"{COMPONENT} in ({','.join(components)})" if components else ""
        return self.find("Pod", labels)

    def log(self, pod: str, container: str | None = None, lines: int = 5) -> list[str]:
        """The last lines that a container wrote, if there are any."""
        try:
            # Nothing at all where nothing was written yet.
            text: str | None = client.CoreV1Api().read_namespaced_pod_log(
                pod, self.name, container=container, tail_lines=lines
            )
        except ApiException:
            return []
        return (text or "").splitlines()

    def run(self, pod: str, *command: str) -> str:
        """What a command in a pod prints."""
        # A client of its own: the call bends it for as long as it lasts.
        printed: str = stream(
            client.CoreV1Api(client.ApiClient()).connect_get_namespaced_pod_exec,
            pod,
            self.name,
            command=list(command),
            stdout=True,
            stderr=True,
        )
        return printed

    def connect(self, pod: str, port: int) -> HTTPConnection:
        """A connection to a pod's port through the API server."""
        forwarded = portforward(
            client.CoreV1Api(client.ApiClient()).connect_get_namespaced_pod_portforward,
            pod,
            self.name,
            ports=str(port),
        )
        connection = HTTPConnection("127.0.0.1", port)
        connection.sock = forwarded.socket(port)
        return connection

    def everything(self) -> set[str]:
        """`Kind/name` of all objects of all kinds, notes of the cluster aside."""
        found = set()
        for kind in self._kinds.resources.search(namespaced=True):
            # Beside each kind stands a kind of lists of it.
            if not kind.kind.endswith("List") and _is_kept(kind):
                listed = kind.get(namespace=self.name).to_dict()["items"]
                found |= {f"{kind.kind}/{o['metadata']['name']}" for o in listed}
        return found

    def has_kind(self, kind: str) -> bool:
        """Whether the cluster knows such objects."""
        return bool(self._kinds.resources.search(kind=kind))

    def _kind(self, kind: str) -> Any:
        """The kind in the version that the cluster prefers."""
        found = self._kinds.resources.search(kind=kind)
        return next(each for each in found if each.preferred)


def _is_kept(kind: Any) -> bool:
    return {"list", "delete"} <= set(kind.verbs) and kind.kind not in NOTES


def ready(pod: Object) -> bool:
    """Whether it takes requests, and is to stay."""
    conditions = pod["status"].get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "Ready" and each["status"] == "True" for each in conditions
    )


def name_of(found: Object) -> str:
    """Its name."""
    name: str = found["metadata"]["name"]
    return name
