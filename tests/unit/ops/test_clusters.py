"""The cluster of `make kind-up` and the example for Argo CD."""

import subprocess
from pathlib import Path
from typing import Any

import yaml
from tests.unit.ops.pages import CHART, ROOT

ZONE = "topology.kubernetes.io/zone"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_kind_has_three_zones() -> None:
    cluster = read(ROOT / "k8s" / "kind.yaml")
    assert set(cluster) == {"kind", "apiVersion", "name", "nodes"}
    assert cluster["kind"] == "Cluster"
    assert cluster["apiVersion"] == "kind.x-k8s.io/v1alpha4"
    control, *workers = cluster["nodes"]
    assert control == {"role": "control-plane"}
    assert all(set(node) == {"role", "labels"} for node in workers)
    assert {node["role"] for node in workers} == {"worker"}
    assert len({node["labels"][ZONE] for node in workers}) == len(workers) == 3


def test_make_knows_the_cluster_by_its_name() -> None:
    name = read(ROOT / "k8s" / "kind.yaml")["name"]
    commands = subprocess.run(
        ["make", "--dry-run", "kind-up", "kind-down"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"grep -x {name} " in commands
    assert f"use-context kind-{name}\n" in commands
    assert f"delete cluster --name {name}\n" in commands


def test_argo_cd_takes_the_chart_as_it_is() -> None:
    application = read(ROOT / "k8s" / "argocd" / "application.yaml")
    assert application["apiVersion"] == "argoproj.io/v1alpha1"
    assert application["kind"] == "Application"
    source = application["spec"]["source"]
    assert ROOT / source["path"] == CHART
    assert source["targetRevision"] == f"v{read(CHART / 'Chart.yaml')['version']}"
    for file in source["helm"]["valueFiles"]:
        assert (CHART / file).is_file()
    known = read(CHART / "values.yaml")
    for key, values in source["helm"]["valuesObject"].items():
        assert set(values) <= set(known[key])
