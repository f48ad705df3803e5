"""What every pod of every render keeps to: restricted, bounded, quietly ended."""

import re
from collections.abc import Iterator
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity
from tests.support.render import Object, Render, Workload

SERVICES = ("thought-generator", "memory-service", "safety-validator")
# Of the volumes that restricted Pod Security permits, those that are used here.
VOLUMES = frozenset(
    {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
)
POD_LABELS = frozenset(
    f"app.kubernetes.io/{key}" for key in ("name", "instance", "component", "part-of")
)
LABELS = POD_LABELS | {
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
IMAGE = re.compile(r"[a-z0-9./:_-]+(?:@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)")
VARIABLE = re.compile(r"\$\((\w+)\)")


def _amount(quantity: str) -> Decimal:
    return Decimal(parse_quantity(quantity))  # type: ignore[no-untyped-call]


def _containers(release: Render) -> Iterator[tuple[str, Workload, Object]]:
    for workload in release.workloads:
        for container in workload.containers:
            yield f"{workload.name}/{container['name']}", workload, container


def test_pods_are_restricted(release: Render) -> None:
    """By the Pod Security Standard of that name."""
    for workload in release.workloads:
        spec, context = workload.spec, workload.spec["securityContext"]
        assert context["runAsNonRoot"] is True, workload.name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, workload.name
        assert context.get("runAsUser") != 0, workload.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), workload.name
        for volume in spec.get("volumes", []):
            assert volume.keys() - {"name"} <= VOLUMES, workload.name


def test_containers_are_restricted(release: Render) -> None:
    """Also init containers, those of Jobs and those of the test."""
    for place, _, container in _containers(release):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, place
        assert context["capabilities"] == {"drop": ["ALL"]}, place
        assert context["readOnlyRootFilesystem"] is True, place
        assert context.get("runAsNonRoot", True) is True, place
        assert context.get("runAsUser") != 0, place
        assert not {"privileged", "procMount", "seccompProfile"} & context.keys(), place
        assert not any("hostPort" in each for each in container.get("ports", [])), place


def test_containers_are_bounded(release: Render) -> None:
    """What they ask for and the memory that they may have; no more than the latter."""
    for place, _, container in _containers(release):
        requests = container["resources"]["requests"]
        limit = _amount(container["resources"]["limits"]["memory"])
        assert _amount(requests["cpu"]) > 0, place
        assert 0 < _amount(requests["memory"]) <= limit, place


def test_images_are_pinned(release: Render) -> None:
    """By a tag that says something, or a digest."""
    for place, _, container in _containers(release):
        assert IMAGE.fullmatch(container["image"]), f"{place}: {container['image']}"
        assert container["imagePullPolicy"] == release.settings["images"]["pullPolicy"]


def test_variables_are_named_once(release: Render) -> None:
    """Twice is an error of server-side apply; what is expanded stands before."""
    for place, _, container in _containers(release):
        names: list[str] = []
        for variable in container.get("env", []):
            used = set(VARIABLE.findall(variable.get("value", "")))
            assert used <= set(names), f"{place}: {variable['name']}"
            names.append(variable["name"])
        assert len(names) == len(set(names)), f"{place}: {sorted(names)}"


def test_volumes_are_mounted(release: Render) -> None:
    """Each somewhere, and nothing else is; a read-only root has a /tmp."""
    claims = {
        each["metadata"]["name"]: {
            claim["metadata"]["name"]
            for claim in each["spec"].get("volumeClaimTemplates", [])
        }
        for each in release.of("StatefulSet")
    }
    for workload in release.workloads:
        there = {each["name"] for each in workload.spec.get("volumes", [])}
        mounted: set[str] = set()
        for container in workload.containers:
            mounts = container["volumeMounts"]
            paths = [each["mountPath"] for each in mounts]
            assert "/tmp" in paths, f"{workload.name}/{container['name']}"
            assert len(paths) == len(set(paths)), workload.name
            mounted |= {each["name"] for each in mounts}
        assert mounted == there | claims.get(workload.name, set()), workload.name


def test_tokens_are_given_only_to_use_a_role(release: Render) -> None:
    """No pod speaks to the API server but by a Role that names what it touches."""
    bound = {
        subject["name"]: binding["roleRef"]["name"]
        for binding in release.of("RoleBinding")
        for subject in binding["subjects"]
    }
    for workload in release.workloads:
        account = workload.spec.get("serviceAccountName")
        token = workload.spec["automountServiceAccountToken"]
        assert token is (account in bound), workload.name
        if account is not None:
            assert release.find("ServiceAccount", account), workload.name
        if token:
            assert release.find("Role", bound[account]), workload.name


def test_roles_name_what_they_touch(release: Render) -> None:
    """One object after the other, no verb that reaches more than one."""
    assert not release.of("ClusterRole", "ClusterRoleBinding")
    for role in release.of("Role"):
        for rule in role["rules"]:
            assert rule["resourceNames"], role["metadata"]["name"]
            assert set(rule["verbs"]) <= {"get", "patch"}, role["metadata"]["name"]
            assert "*" not in rule["resources"] + rule["apiGroups"]


def test_everything_is_labelled(release: Render) -> None:
    """As Helm's charts are, and as the values say."""
    common = release.settings["commonLabels"].items()
    for thing in release.objects:
        labels = thing["metadata"]["labels"]
        assert labels.keys() >= LABELS, thing["metadata"]["name"]
        assert labels.items() >= common, thing["metadata"]["name"]
    for workload in release.workloads:
        assert workload.labels.keys() >= POD_LABELS, workload.name
        assert workload.labels.items() >= common, workload.name


def test_probes_ask_different_things(release: Render) -> None:
    """A pod that serves nobody for a while is not killed for it."""
    for workload in release.workloads:
        if workload.kind not in {"Deployment", "StatefulSet"}:
            continue
        for container in workload.spec["containers"]:
            place = f"{workload.name}/{container['name']}"
            assert container.keys() >= {"startupProbe", "readinessProbe"}, place
            ready, alive = container["readinessProbe"], container["livenessProbe"]
            assert ready != alive, place
            if workload.component in SERVICES:
                assert ready["httpGet"]["path"] == "/readyz", place
                assert alive["httpGet"]["path"] == "/livez", place
                assert container["startupProbe"]["httpGet"]["path"] == "/livez", place


def test_services_have_time_to_end(release: Render) -> None:
    """Out of the endpoints, then what is under way, before the kernel ends it."""
    for name in SERVICES:
        workload = release.of_component(name)
        container = workload.container(name)
        env = {each["name"]: each.get("value") for each in container["env"]}
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace = workload.spec["terminationGracePeriodSeconds"]
        assert pause > 0
        assert grace > pause + int(env["SHUTDOWN_SECONDS"])


def test_a_rollout_takes_no_pod_away(release: Render) -> None:
    """Before the new one is ready."""
    for name in SERVICES:
        found = release.find("Deployment", release.of_component(name).name)
        assert found
        strategy = found["spec"]["strategy"]["rollingUpdate"]
        assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
