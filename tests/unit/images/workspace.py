"""The parts that images are made of, as the repository names them."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements"

LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ]+)", re.MULTILINE)
LISTED = re.compile(r"^\./services/([a-z-]+)(?:\[([a-z,]+)\])?$", re.MULTILINE)
NAME = re.compile(r"[A-Za-z0-9-]+")


def services() -> list[str]:
    """Those that `make images` builds."""
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"^SERVICES := (.+)$", makefile, re.MULTILINE)
    assert found is not None
    return found[1].split()


def listed(service: str) -> dict[str, set[str]]:
    """Packages of this project in a service's image, each with its extras."""
    text = (REQUIREMENTS / f"{service}.in").read_text()
    return {name: set(filter(None, x.split(","))) for name, x in LISTED.findall(text)}


def declared(package: str, extras: set[str]) -> set[str]:
    """Names of the third-party packages that a package says it needs."""
    text = (ROOT / "services" / package / "pyproject.toml").read_text()
    table: dict[str, Any] = tomllib.loads(text)["project"]
    lines = list(table["dependencies"])
    for extra in extras:
        lines += table["optional-dependencies"][extra]
    return {found[0].lower() for line in lines if (found := NAME.match(line))}


def locked(name: str) -> set[tuple[str, str]]:
    """Each package of a lock with its version."""
    return set(LOCKED.findall((REQUIREMENTS / f"{name}.txt").read_text()))


def names(lock: str) -> set[str]:
    """Each package of a lock."""
    return {package for package, _ in locked(lock)}
