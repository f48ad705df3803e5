"""What a cluster relies on in each image, read from the Dockerfile."""

import re

import pytest
import yaml
from tests.unit.images.ignoring import Ignored
from tests.unit.images.workspace import ROOT, services

COMMENT = re.compile(r"^#.*\n", re.MULTILINE)
LABEL = re.compile(r"org\.opencontainers\.image\.(\w+)=(\S+)")
CONTINUED = re.compile(r"\\\n")


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, comments left out."""
    text = (ROOT / "services" / "Dockerfile").read_text()
    lines = CONTINUED.sub(" ", COMMENT.sub("", text)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def every(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


def stage(name: str) -> list[tuple[str, str]]:
    """The instructions of one stage."""
    inside, found = False, []
    for word, rest in instructions():
        if word == "FROM":
            inside = rest.endswith(f" AS {name}")
        elif inside:
            found.append((word, rest))
    return found


def test_base_images_are_pinned_to_a_tag() -> None:
    arguments = dict(line.split("=", 1) for line in every("ARG") if "=" in line)
    stages: set[str] = set()
    for line in every("FROM"):
        image, name = line.split(" AS ")
        if image not in stages:
            image = arguments[image.strip("${}")]
            assert re.fullmatch(r"[a-z0-9./-]+:[a-z0-9.-]+", image)
            assert not image.endswith(":latest")
        stages.add(name)


def test_it_runs_under_any_uid_but_root() -> None:
    [user] = [rest for word, rest in stage("runtime") if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    environment = " ".join(every("ENV"))
    for name in ("PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp", "USER="):
        assert name in environment


def test_its_libraries_report_to_nobody() -> None:
    assert ("ENV", "ORT_DISABLE_TELEMETRY=1") in stage("runtime")


def test_the_last_stage_runs_nothing_and_checks_nothing() -> None:
    assert {word for word, _ in stage("runtime")} == {
        "ARG", "ENV", "COPY", "LABEL", "USER", "WORKDIR", "EXPOSE", "CMD",
    }  # fmt: skip
    assert every("HEALTHCHECK") == []


def test_it_says_what_it_is() -> None:
    labels = dict(
        re.findall(r"org\.opencontainers\.image\.(\w+)=(\S+)", every("LABEL")[0])
    )
    chart = yaml.safe_load((ROOT / "charts/claude-agi/Chart.yaml").read_text())
    assert labels["version"] == f'"{chart["appVersion"]}"'
    assert {"title", "description", "revision", "licenses"} <= set(labels)


def test_all_from_an_index_is_pinned_by_hash() -> None:
    installs = re.findall(r"pip [^&;]*install [^&;]*", "\n".join(every("RUN")))
    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install


@pytest.mark.parametrize("service", services())
def test_what_is_copied_is_there(service: str) -> None:
    ignored = Ignored((ROOT / ".dockerignore").read_text())
    for line in every("COPY"):
        *sources, _ = re.sub(r"\$\{(SERVICE|LOCK)\}", service, line).split()
        if sources[0].startswith("--from="):
            continue
        for source in sources:
            assert (ROOT / source).exists()
            assert (ROOT / source).is_dir() or ignored.lets_in(source)


def test_the_service_that_embeds_gets_the_model() -> None:
    # The stage looks for the line that names the service; its sources name the model.
    [condition] = re.findall(r"grep -q '\^\\(.+?)'", "\n".join(every("RUN")))
    assert condition == "./services/memory-service"
    embedding = [
        service
        for service in services()
        for source in (ROOT / "services" / service / "src").rglob("*.py")
        if "import Embedder" in source.read_text()
    ]
    assert embedding == ["memory-service"]
