"""`make images`, with builders that only say how they were called."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.unit.images.workspace import ROOT, services

CHART = ROOT / "charts" / "claude-agi"
TOOLS = ("awk", "bash", "date", "env", "git", "make", "sh")
MISSING = "images are built by docker or buildah"


class Machine:
    """A PATH with the tools that any machine has, and builders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in TOOLS:
            path = shutil.which(name)
            assert path is not None
            (folder / name).symlink_to(path)

    def has(self, program: str, answers: bool = True) -> None:
        """Puts a builder there; docker without a daemon does not answer."""
        file = self._folder / program
        code = 0 if answers else 1
        file.write_text(
            f'#!/bin/sh\necho "{program} $*" >>{self._folder}/calls\nexit {code}\n'
        )
        file.chmod(0o755)

    def make_images(self, flags: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "images"],
            cwd=ROOT,
            env={"PATH": str(self._folder), "IMAGE_BUILD_FLAGS": flags},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def builds(self) -> list[list[str]]:
        """The arguments of each build."""
        calls = (self._folder / "calls").read_text().splitlines()
        return [call.split() for call in calls if "--file" in call]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def wanted() -> dict[str, str]:
    """The image that a local cluster asks for, by service."""
    all_values = yaml.safe_load((CHART / "values.yaml").read_text())
    local = yaml.safe_load((CHART / "values-kind.yaml").read_text())
    found = {}
    for section, values in all_values.items():
        if isinstance(values, dict) and section in local and "image" in values:
            image = values["image"] | local[section].get("image", {})
            name = image["repository"].rpartition("/")[2]
            found[name] = f"docker.io/{image['repository']}:{image['tag']}"
    return found


@pytest.mark.parametrize(
    ("docker", "command"), [(True, "docker build"), (False, "buildah bud --layers")]
)
def test_each_image_is_built_as_the_cluster_asks_for_it(
    machine: Machine, docker: bool, command: str
) -> None:
    machine.has("docker", answers=docker)
    machine.has("buildah")
    done = machine.make_images("--isolation chroot -v /ca:/ca:ro")
    assert done.returncode == 0, done.stderr
    assert len(machine.builds) == len(services())
    for service, build in zip(services(), machine.builds, strict=True):
        assert " ".join(build).startswith(f"{command} ")
        assert f"SERVICE={service}" in build
        assert build[build.index("--tag") + 1] == wanted()[service]
        assert not wanted()[service].endswith(":latest")
        assert " ".join(build).endswith("--isolation chroot -v /ca:/ca:ro .")


def test_it_says_how_long_each_took(machine: Machine) -> None:
    machine.has("docker")
    lines = machine.make_images().stdout.splitlines()
    assert len(lines) == len(services())
    for service, line in zip(services(), lines, strict=True):
        name = wanted()[service].removeprefix("docker.io/")
        assert line.split()[:2] == ["image", name]
        assert line.endswith(" s")


def test_a_build_that_fails_ends_it(machine: Machine) -> None:
    machine.has("docker", answers=False)
    machine.has("buildah", answers=False)
    done = machine.make_images()
    assert done.returncode != 0
    assert "failed: image claude-agi/thought-generator:" in done.stderr
    assert len(machine.builds) == 1


def test_without_a_builder_it_says_what_is_missing(machine: Machine) -> None:
    machine.has("docker", answers=False)
    done = machine.make_images()
    assert done.returncode != 0
    assert MISSING in done.stderr
