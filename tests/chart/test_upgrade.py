"""Which change of values makes pods anew, and which does not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.render import Object, render_text

SERVICES = {
    f"mind-claude-agi-{name}"
    for name in ("thought-generator", "memory-service", "safety-validator")
}
MY_DATABASE = {"mode": "external", "external": {"existingSecret": "a"}}
ELSEWHERE: list[Object] = [
    {"postgresql": {"bundled": {"replicas": 0}}},
    {"postgresql": {"database": "other"}},
    {"postgresql": {"mode": "cnpg"}},
    {"postgresql": {"mode": "cnpg", "cnpg": {"instances": 1}, "maxConnections": 500}},
    {"postgresql": MY_DATABASE},
    {"postgresql": {"mode": "external", "external": {"existingSecret": "b"}}},
    {"cache": {"mode": "external", "external": {"existingSecret": "a"}}},
    {"cache": {"mode": "external", "external": {"existingSecret": "b"}}},
]
# Servers of the same names.
THERE: list[Object] = [
    {"postgresql": {"bundled": {"replicas": 3}}},
    {"postgresql": {"bundled": {"parameters": {"work_mem": "8MB"}}}},
    {"cache": {"bundled": {"maxMemory": "32mb"}}},
    {"agents": {"ada": {}}},
]


def _pods(values: Object, folder: Path) -> dict[str, str]:
    """The template of each service's pods."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    found: list[Any] = list(yaml.load_all(render_text("mind", file), yaml.CSafeLoader))
    pods = {
        each["metadata"]["name"]: json.dumps(each["spec"]["template"])
        for each in found
        if each and each["kind"] == "Deployment"
    }
    assert pods.keys() >= SERVICES
    return {name: pods[name] for name in SERVICES}


def test_other_servers_reach_every_service(tmp_path: Path) -> None:
    """Whichever follows on whichever."""
    made = [_pods(values, tmp_path) for values in ({}, *ELSEWHERE)]
    for name in SERVICES:
        assert len({each[name] for each in made}) == len(made), name


@pytest.mark.parametrize("values", THERE, ids=str)
def test_the_same_servers_restart_no_service(values: Object, tmp_path: Path) -> None:
    """However many they are, and however they are set."""
    assert _pods(values, tmp_path) == _pods({}, tmp_path)
