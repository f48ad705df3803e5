"""The image build gets the files it needs and no other."""

import subprocess

import pytest
from tests.unit.images.ignoring import Ignored
from tests.unit.images.workspace import ROOT, listed, services

SOURCE = "services/memory-service/src/memory_service"

# Left by people and tools, or of no use in an image.
FOREIGN = f"""
.git/config .github/token .env .data/secrets.json .venv/bin/python .tools/bin/helm
.dockerignore README.md LICENSE Makefile pyproject.toml skaffold.yaml id_rsa kubeconfig
benchmarks/run.py charts/claude-agi/values.yaml docs/install.md k8s/kind.yaml
tests/conftest.py tests/data/words.txt
requirements/dev.in requirements/dev.txt requirements/local.txt requirements/model.in
services/Dockerfile services/.env
services/devstack/pyproject.toml services/devstack/src/devstack/main.py
services/memory-service/openapi.json services/memory-service/.env
services/memory-service/tests/test_it.py services/memory-service/.venv/bin/python
services/memory-service/dist/it.whl services/memory-service/node_modules/it/index.js
{SOURCE}/.env {SOURCE}/.git/config {SOURCE}/server.key {SOURCE}/stores/server.pem
{SOURCE}/main.pyc {SOURCE}/__pycache__/main.cpython-313.pyc
""".split()


@pytest.fixture(scope="module")
def ignored() -> Ignored:
    return Ignored((ROOT / ".dockerignore").read_text())


@pytest.fixture(scope="module")
def files() -> list[str]:
    """All of the repository, committed or not yet, but for what git ignores."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(
        listing, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in found.stdout.splitlines() if (ROOT / name).is_file()]


def needed(name: str) -> bool:
    """Whether the Dockerfile reads a file."""
    packages = {package for service in services() for package in listed(service)}
    match name.split("/"):
        case ["requirements", lock]:
            locks = {f"{s}.{end}" for s in services() for end in ("in", "txt")}
            return lock in locks | {"build.txt", "model.txt", "tracing.txt"}
        case ["services", "trim.py"]:
            return True
        case ["services", package, "pyproject.toml"]:
            return package in packages
        case ["services", package, "src" | "migrations", *_]:
            return package in packages
    return False


def test_what_is_needed_gets_in_and_nothing_else(
    ignored: Ignored, files: list[str]
) -> None:
    let_in = [name for name in files if ignored.lets_in(name)]
    assert let_in == [name for name in files if needed(name)]
    assert f"{SOURCE}/main.py" in let_in
    assert "services/memory-service/migrations/0001_memory.sql" in let_in


@pytest.mark.parametrize("name", FOREIGN)
def test_what_lies_about_stays_out(ignored: Ignored, name: str) -> None:
    assert not ignored.lets_in(name)


@pytest.mark.parametrize(
    ("pattern", "path", "inside"),
    [
        ("*", "a/b", False),
        ("*\n!a", "a/b", True),
        ("*\n!a/*/src", "a/b/src/c.py", True),
        ("*\n!a/*/src", "a/b/c/src/d.py", False),
        ("*.py", "a/b.py", True),
        ("**/*.py", "b.py", False),
        ("**/*.py", "a/b/c.py", False),
        ("**/.*", "a/.git/config", False),
        ("**/.*", "a.b/c", True),
        ("# a\na", "a", False),
    ],
)
def test_patterns_mean_what_docker_says(pattern: str, path: str, inside: bool) -> None:
    assert Ignored(pattern).lets_in(path) is inside
