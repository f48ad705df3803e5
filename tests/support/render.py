"""What helm makes of the chart, by the values that it is given."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "claude-agi"
NAMESPACE = "minds"
KUBERNETES = "1.37.0"
HELM_S = 60.0
VALUES = (*sorted(CHART.glob("ci/*-values.yaml")), *sorted(CHART.glob("values-*.yaml")))

Object = dict[str, Any]


def find_tool(name: str) -> str:
    """The program's path, from `make chart-tools` or PATH; skips where it is not."""
    folders = os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ["PATH"]])
    path = shutil.which(name, path=folders)
    if path is None:
        pytest.skip(f"no {name} here: `make chart-tools` builds it where Go is")
    return path


def run(*command: str | Path) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=HELM_S,
        check=False,
        # No cluster is asked, whatever this machine knows of.
        env=os.environ | {"KUBECONFIG": os.devnull},
    )
    return done.returncode, done.stdout, done.stderr


def run_helm(*arguments: str | Path, program: str = "helm") -> tuple[int, str, str]:
    """Exit code, output and errors."""
    return run(find_tool(program), *arguments)


def render_text(release: str, values: Path, program: str = "helm") -> str:
    """The manifest as it is printed."""
    code, text, errors = run_helm(
        *("template", release, CHART, "--namespace", NAMESPACE, "--values", values),
        *("--kube-version", KUBERNETES),
        program=program,
    )
    assert code == 0, f"{values.name}: {errors}"
    return text


@dataclass(frozen=True)
class Workload:
    """What makes pods, or a pod itself."""

    kind: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Object

    @property
    def component(self) -> str:
        """Its part in the release."""
        return self.labels["app.kubernetes.io/component"]

    @property
    def containers(self) -> list[Object]:
        """All of them, the init containers first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def container(self, name: str) -> Object:
        """The one of that name."""
        return next(each for each in self.containers if each["name"] == name)

    @property
    def ports(self) -> Iterator[tuple[str, int]]:
        """Name and number of what its containers listen on."""
        for container in self.containers:
            for port in container.get("ports", []):
                yield port.get("name", ""), port["containerPort"]


@dataclass(frozen=True)
class Render:
    """The objects of one release."""

    release: str
    values: Path
    text: str

    @cached_property
    def objects(self) -> list[Object]:
        """As the API server would get them."""
        return [each for each in yaml.load_all(self.text, yaml.CSafeLoader) if each]

    @cached_property
    def settings(self) -> Object:
        """The chart's values under those of the file."""
        return _merged(load(CHART / "values.yaml"), load(self.values))

    @property
    def prefix(self) -> str:
        """What all of its names begin with."""
        name = self.settings["nameOverride"] or "claude-agi"
        full = self.release if name in self.release else f"{self.release}-{name}"
        return self.settings["fullnameOverride"] or full

    def of(self, *kinds: str) -> list[Object]:
        """All objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        """The object of that name."""
        found = [each for each in self.of(kind) if each["metadata"]["name"] == name]
        return found[0] if found else None

    @cached_property
    def workloads(self) -> list[Workload]:
        """Everything that makes pods."""
        return [_workload(each) for each in self.objects if _pod(each)]

    def of_component(self, component: str) -> Workload:
        """The workload of that part of the release."""
        return next(each for each in self.workloads if each.component == component)


@cache
def render(release: str, values: Path) -> Render:
    """The release, made once a run."""
    return Render(release, values, render_text(release, values))


def load(file: Path) -> Object:
    """A file of values."""
    return yaml.load(file.read_bytes(), yaml.CSafeLoader) or {}


def name_of(thing: Object) -> str:
    """How messages name an object."""
    return f"{thing['kind']}/{thing['metadata']['name']}"


def _pod(thing: Object) -> Object:
    if thing["kind"] == "Pod":
        return thing
    template: Object = thing.get("spec", {}).get("template", {})
    return template if "containers" in template.get("spec", {}) else {}


def _workload(thing: Object) -> Workload:
    pod = _pod(thing)
    about = pod.get("metadata", {})
    return Workload(
        kind=thing["kind"],
        name=thing["metadata"]["name"],
        labels=about.get("labels", {}),
        annotations=about.get("annotations", {}),
        spec=pod["spec"],
    )


def _merged(under: Object, over: Object) -> Object:
    both = dict(under)
    for key, value in over.items():
        mapping = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = _merged(both[key], value) if mapping else value
    return both
