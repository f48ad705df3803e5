"""skaffold.yaml: what it names exists, and what it syncs is what its images run."""

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest
import yaml
from tests.unit.ops.pages import CHART, ROOT
from tests.unit.ops.skaffold_config import Artifact, Config, Profile

SERVICES = ("thought-generator", "memory-service", "safety-validator")
VALUE = re.compile(r"\{\{\.IMAGE_(REPO|TAG|DIGEST)_(\w+)\}\}")
KINDS = {"REPO": "repository", "TAG": "tag", "DIGEST": "digest"}


@pytest.fixture(scope="module")
def config() -> Config:
    text = (ROOT / "skaffold.yaml").read_text()
    return Config.model_validate(yaml.safe_load(text))


def profile(config: Config, name: str) -> Profile:
    return next(each for each in config.profiles if each.name == name)


def artifacts(config: Config, name: str) -> list[Artifact]:
    build = profile(config, name).build
    assert build is not None
    return build.artifacts


def test_every_image_is_built_from_the_one_dockerfile(config: Config) -> None:
    dockerfile = (ROOT / "services" / "Dockerfile").read_text()
    for service, artifact in zip(SERVICES, config.build.artifacts, strict=True):
        assert artifact.docker is not None
        assert artifact.image == f"claude-agi/{service}"
        assert artifact.docker.dockerfile == "services/Dockerfile"
        assert artifact.docker.buildArgs == {"SERVICE": service}
    assert "ARG SERVICE" in dockerfile


def test_every_image_reaches_its_value(config: Config) -> None:
    (release,) = config.deploy.helm.releases
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    set_values = set()
    for name, template in release.setValueTemplates.items():
        service, image, field = name.split(".")
        kind, artifact = VALUE.fullmatch(template).groups()  # type: ignore[union-attr]
        assert field == KINDS[kind]
        assert field in values[service][image]
        repository = values[service][image]["repository"]
        assert artifact == re.sub(r"[/.:-]", "_", repository)
        set_values.add((repository, field))
    images = [artifact.image for artifact in config.build.artifacts]
    assert set_values == {(i, f) for i in images for f in KINDS.values()}


@pytest.mark.parametrize("name", ["dev", "debug", "ha"])
def test_profiles_add_a_file_of_values(config: Config, name: str) -> None:
    (release,) = config.deploy.helm.releases
    (patch,) = profile(config, name).patches
    assert (patch.op, patch.path) == ("replace", "/deploy/helm/releases/0/valuesFiles")
    assert patch.value[0] == release.valuesFiles[0]
    for file in patch.value:
        assert isinstance(yaml.safe_load((ROOT / file).read_text()), dict)


@pytest.mark.parametrize("name", ["dev", "debug"])
def test_profiles_build_on_the_services_own_images(config: Config, name: str) -> None:
    dockerfile = (ROOT / "k8s" / "dev" / "Dockerfile").read_text()
    stages = re.findall(r" AS (\w+)$", dockerfile, re.MULTILINE)
    for service, artifact in zip(SERVICES, artifacts(config, name), strict=True):
        assert artifact.custom is not None
        assert artifact.image == f"claude-agi/{service}"
        script, *arguments = artifact.custom.buildCommand.split()
        assert (ROOT / script).stat().st_mode & 0o111
        assert arguments[0] == service
        assert arguments[1] in stages
        for pattern in artifact.custom.dependencies.paths:
            assert any(ROOT.glob(pattern)), pattern


def test_what_is_synced_is_what_the_image_installs(config: Config) -> None:
    for service, artifact in zip(SERVICES, artifacts(config, "dev"), strict=True):
        assert artifact.sync is not None
        assert artifact.custom is not None
        locked = (ROOT / "requirements" / f"{service}.in").read_text()
        installed = set(re.findall(r"^\./services/([a-z-]+)", locked, re.MULTILINE))
        rules = {rule.strip: rule for rule in artifact.sync.manual}
        assert set(rules) == {f"services/{package}/src/" for package in installed}
        for folder, rule in rules.items():
            assert (rule.src, rule.dest) == (f"{folder}**/*", "/tmp/src")
            watched = f"services/{PurePosixPath(folder).parts[1]}/**"
            assert watched in artifact.custom.dependencies.paths


def test_ports_are_those_of_make_run(config: Config) -> None:
    (release,) = config.deploy.helm.releases
    local = {forward.resourceName: forward.localPort for forward in config.portForward}
    assert local == {
        release.name: 8000,
        **{f"{release.name}-{service}": 8001 + n for n, service in enumerate(SERVICES)},
    }
    debug = profile(config, "debug").portForward
    for forward in [*config.portForward, *debug]:
        assert forward.namespace == release.namespace
    taken = [forward.localPort for forward in debug]
    assert len(set(taken)) == len(taken)


def test_the_image_on_top_is_built_after_the_services(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/bash\necho "$*" >>{tmp_path}/calls\n')
    docker.chmod(0o755)
    image = "claude-agi/memory-service:1a2b"
    path = f"{tmp_path}:/usr/bin:/bin"
    subprocess.run(
        [ROOT / "k8s" / "dev" / "build", "memory-service", "reload"],
        env={"PATH": path, "IMAGE": image, "PUSH_IMAGE": "false"},
        check=True,
    )
    first = f"--build-arg SERVICE=memory-service --tag {image}-runtime"
    second = f"--build-arg RUNTIME={image}-runtime --target reload --tag {image}"
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"build --file services/Dockerfile {first} .",
        f"build {second} k8s/dev",
    ]
