"""`make deploy`, with programs that only say how they were called."""

import subprocess
from pathlib import Path
from shutil import copy

import pytest
from tests.unit.ops.pages import ROOT

SERVICES = ("thought-generator", "memory-service", "safety-validator")
KEYS = ("thoughtGenerator", "memoryService", "safetyValidator")
# A service's pods are told its image, else nothing would tell the new from the old.
INSTALL = " ".join(
    [
        "helm upgrade --install claude-agi charts/claude-agi",
        "--values charts/claude-agi/values-kind.yaml",
        *(
            f"--set-string {key}.podAnnotations.image-id=id-of-claude-agi/{service}:dev"
            for key, service in zip(KEYS, SERVICES, strict=True)
        ),
        "--namespace claude-agi --create-namespace --wait --timeout 5m",
    ]
)
# What the real ones answer.
ANSWERS = {
    "kubectl": '[ -n "$CONTEXT" ] && echo "$CONTEXT"',
    # A line also where there is no such image.
    "docker": '[ "$BUILT_BY" = docker ] && echo "id-of-${!#}" || { echo; exit 1; }',
    "buildah": '[ "$BUILT_BY" = buildah ] && echo "id-of-${!#}"',
    "helm": "",
    "kind": "",
    "minikube": "",
}


class Machine:
    """A PATH with some programs, and what was called."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self._folder = folder
        # A copy, so that it finds no helm beside it.
        self._script = folder / "k8s" / "deploy"
        self._script.parent.mkdir()
        copy(ROOT / "k8s" / "deploy", self._script)
        for program in ("bash", "dirname", "mktemp", "rm"):
            (folder / program).symlink_to(f"/usr/bin/{program}")
        for program in programs:
            file = folder / program
            file.write_text(
                f'#!/bin/bash\necho "{program} $*" >>{folder}/calls\n'
                f"{ANSWERS[program]}\n"
            )
            file.chmod(0o755)

    def deploy(self, **environment: str) -> tuple[int, str]:
        """Exit code and what was said on stderr."""
        done = subprocess.run(
            [self._script],
            env={"PATH": str(self._folder), "CONTEXT": "kind-lab", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr.strip()

    @property
    def calls(self) -> list[str]:
        """One line each."""
        return (self._folder / "calls").read_text().splitlines()


def test_images_of_docker_go_into_kind(tmp_path: Path) -> None:
    machine = Machine(tmp_path, *ANSWERS)
    assert machine.deploy(BUILT_BY="docker") == (0, "")
    saved = [call for call in machine.calls if call.startswith("docker save")]
    loaded = [call for call in machine.calls if call.startswith("kind load")]
    assert [call.split()[-1] for call in saved] == [
        f"claude-agi/{service}:dev" for service in SERVICES
    ]
    assert len(loaded) == len(SERVICES)
    assert all(" --name lab " in call for call in loaded)
    assert machine.calls[-1].strip() == INSTALL


def test_images_of_buildah_go_into_minikube(tmp_path: Path) -> None:
    machine = Machine(tmp_path, *ANSWERS)
    assert machine.deploy(BUILT_BY="buildah", CONTEXT="minikube") == (0, "")
    pushed = [call for call in machine.calls if call.startswith("buildah push")]
    loaded = [call for call in machine.calls if call.startswith("minikube image load")]
    assert [call.rpartition(".tar:")[2] for call in pushed] == [
        f"claude-agi/{service}:dev" for service in SERVICES
    ]
    assert len(loaded) == len(SERVICES)
    assert machine.calls[-1].strip() == INSTALL


def test_another_cluster_pulls_by_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "kubectl", "helm")
    code, _ = machine.deploy(
        CONTEXT="office", NAMESPACE="minds", HELM_FLAGS="--set front.replicas=1 --debug"
    )
    assert code == 0
    assert "image-id" not in machine.calls[-1]
    assert " --namespace minds " in machine.calls[-1]
    assert machine.calls[-1].endswith("--set front.replicas=1 --debug")


@pytest.mark.parametrize(
    ("programs", "environment", "message"),
    [
        (["helm"], {}, "kubectl is missing"),
        (["kubectl"], {}, "helm is missing"),
        (["kubectl", "helm"], {}, "kind is missing"),
        (["kubectl", "helm"], {"CONTEXT": "minikube"}, "minikube is missing"),
        (["kubectl", "helm"], {"CONTEXT": ""}, "make kind-up"),
        (list(ANSWERS), {"BUILT_BY": "nobody"}, "run make images first"),
    ],
)
def test_what_is_missing_is_said_and_nothing_installed(
    tmp_path: Path, programs: list[str], environment: dict[str, str], message: str
) -> None:
    machine = Machine(tmp_path, *programs)
    code, errors = machine.deploy(**environment)
    assert code == 1
    assert message in errors
    calls = tmp_path / "calls"
    assert "helm" not in (calls.read_text() if calls.exists() else "")
