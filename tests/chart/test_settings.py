"""What a pod's environment says is what the service's own Settings make of it."""

import json
import os
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from tests.support.render import CHART, Object, Render, Workload, render

import bootstrap.agents
import memory_service.settings
import safety_validator.settings
import thought_generator.settings
from safety_validator.domain.policy import open_policy
from servicekit import tracing
from servicekit.settings import ServiceSettings

KINDS: dict[str, type[ServiceSettings]] = {
    "thought-generator": thought_generator.settings.Settings,
    "memory-service": memory_service.settings.Settings,
    "safety-validator": safety_validator.settings.Settings,
}
VALUES = dict(
    zip(KINDS, ("thoughtGenerator", "memoryService", "safetyValidator"), strict=True)
)
# Read by Python, by the C library and by OpenTelemetry.
RUNTIME = {
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "PYTHONUNBUFFERED",
}
# Which ends the keys of addresses.
HASH = re.compile(r"(?<=-url)-[0-9a-f]{8}$")
DSN = "postgresql://role:secret@database:5432/claude_agi"
SECRETS = {
    "service-key": "s" * 43,
    "cache-url": "redis://:secret@cache:6379/0",
    "url": "rediss://person:secret@cache.example.com:6380/0",
    "api-key": "not-a-real-key",
    "token": "of a team",
    "keys.json": json.dumps(
        [
            {"key": "a" * 43, "scopes": ["read", "write", "admin"], "agents": ["*"]},
            {"key": "r" * 43, "scopes": ["read"], "agents": ["*"]},
        ]
    ),
}


def _files(release: Render, workload: Workload, folder: Path) -> dict[str, Path]:
    """The mounted files of Secrets and ConfigMaps, by their path in the container."""
    volumes = {each["name"]: each for each in workload.spec["volumes"]}
    found: dict[str, Path] = {}
    for mount in workload.container(workload.component)["volumeMounts"]:
        for name, text in _contents(release, volumes[mount["name"]]).items():
            file = folder / mount["name"] / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            found[f"{mount['mountPath']}/{name}"] = file
    return found


def _contents(release: Render, volume: Object) -> dict[str, str]:
    if "secret" in volume:
        return {
            item["path"]: SECRETS[item["key"]] for item in volume["secret"]["items"]
        }
    if "configMap" in volume:
        source = release.find("ConfigMap", volume["configMap"]["name"])
        assert source
        return dict(source["data"])
    return {}


def _environment(workload: Workload, files: dict[str, Path]) -> dict[str, str]:
    found = {}
    for variable in workload.container(workload.component)["env"]:
        text = variable.get("value", "")
        if "valueFrom" in variable:
            key = variable["valueFrom"]["secretKeyRef"]["key"]
            text = SECRETS.get(HASH.sub("", key), DSN)
        found[variable["name"]] = str(files.get(text, text))
    return found


def _settings(release: Render, name: str, folder: Path) -> Any:
    workload = release.of_component(name)
    environment = _environment(workload, _files(release, workload, folder))
    with patch.dict(os.environ, environment, clear=True):
        return KINDS[name]()


@pytest.mark.parametrize("name", KINDS)
def test_the_service_takes_them(release: Render, name: str, tmp_path: Path) -> None:
    """With keys from the file, since it listens on more than loopback."""
    values = release.settings[VALUES[name]]
    settings = _settings(release, name, tmp_path)
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    assert len(settings.api_keys) == 2
    assert settings.service_key_text == SECRETS["service-key"]
    assert settings.log_level == values["logLevel"]
    assert settings.database_pool_size == values["poolSize"]
    assert settings.shutdown_seconds == values["shutdownSeconds"]
    assert settings.database_url.get_secret_value() == DSN


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_told_in_vain(release: Render, name: str) -> None:
    """A variable by a name that no setting has would be passed over in silence."""
    own = release.of_component(name).container(name)["env"]
    persons = {each["name"] for each in release.settings[VALUES[name]]["extraEnv"]}
    told = {each["name"] for each in own} - persons - RUNTIME
    assert told <= {field.upper() for field in KINDS[name].model_fields}


def test_thinking_is_as_the_values_say(release: Render, tmp_path: Path) -> None:
    """Engine, model, prices, streams."""
    engine, streams = release.settings["engine"], release.settings["streams"]
    settings = _settings(release, "thought-generator", tmp_path)
    has_key = bool(engine["apiKey"] or engine["existingSecret"])
    assert settings.engine == ("anthropic" if has_key else "offline")
    assert settings.thought_model == engine["model"]
    assert settings.thought_max_tokens == engine["maxTokens"]
    assert settings.prices.keys() >= engine["prices"].keys()
    assert (settings.thought_cheaper_model or "") == engine["cheaperModel"]
    asks = settings.thought_structured_output == "auto"
    assert asks is engine["structuredOutput"]
    assert (settings.anthropic_base_url or "") == engine["baseUrl"]
    assert settings.streams_enabled is streams["enabled"]
    assert settings.lease_seconds == streams["leaseSeconds"]
    assert settings.redis_url is not None


@pytest.mark.parametrize("name", KINDS)
def test_spans_go_where_the_values_say(release: Render, name: str) -> None:
    """From each service, or nowhere."""
    told = {
        each["name"]: each.get("value")
        for each in release.of_component(name).container(name)["env"]
    }
    endpoint = release.settings["tracing"]["endpoint"]
    assert told.get(tracing.ENDPOINTS[0], "") == endpoint


def test_memory_is_as_the_values_say(release: Render, tmp_path: Path) -> None:
    """How much, for how long, and where its vectors are."""
    memory = release.settings["memory"]
    settings = _settings(release, "memory-service", tmp_path)
    assert (settings.memory_capacity or 0) == memory["capacity"]
    assert settings.memory_retention_months == memory["retentionMonths"]
    assert settings.redis_url is not None
    assert (settings.milvus_uri or "") == memory["milvus"]["uri"]
    assert settings.milvus_collection == memory["milvus"]["collection"]
    assert settings.vector_store == ("milvus" if settings.milvus_uri else "faiss")
    has_token = settings.milvus_token is not None
    assert has_token is bool(memory["milvus"]["existingSecret"])
    pod = release.of_component("memory-service")
    volumes = {each["name"]: each for each in pod.spec["volumes"]}
    (folder,) = (
        volumes[each["name"]]
        for each in pod.container("memory-service")["volumeMounts"]
        if each["mountPath"] == str(settings.index_dir)
    )
    assert folder["emptyDir"]["sizeLimit"] == memory["indexSize"]


def test_the_guard_is_as_the_values_say(release: Render, tmp_path: Path) -> None:
    """Where it is, what it serves, and its key."""
    guard = release.settings["safety"]["guard"]
    settings = _settings(release, "safety-validator", tmp_path)
    assert (settings.guard_url or "") == guard["url"]
    assert (settings.guard_model or "") == guard["model"]
    assert settings.guard_family == guard["family"]
    assert settings.guard_timeout_ms == guard["timeoutMs"]
    assert (settings.guard_api_key is not None) is bool(guard["existingSecret"])


def test_minds_are_as_the_values_say(tmp_path: Path) -> None:
    """The Job reads them as they were written, large numbers too."""
    release = render("mind", CHART / "ci" / "agents-values.yaml")
    files = _files(release, release.of_component("agents"), tmp_path)
    found = bootstrap.agents.read_agents(files["/etc/claude-agi/agents/agents.json"])
    assert {name: each.overwrite for name, each in found.items()} == {
        "ada": False,
        "grace": True,
    }
    assert found["ada"].fields["budget.tokens_per_day"] == 20_000_000
    assert found["ada"].fields["budget.near_limit"] == 0.7
    assert found["ada"].fields["budget.ladder"] == ["slower", "offline"]
    assert found["ada"].fields["streams.weather.interval_seconds"] == 60


def test_the_policy_is_as_the_values_say(release: Render, tmp_path: Path) -> None:
    """The shipped one, or the person's, which proves itself as it is opened."""
    settings = _settings(release, "safety-validator", tmp_path)
    own = release.settings["safety"]["policy"]
    if own:
        raw = settings.policy_file.read_bytes()
        assert raw.decode().strip() == own.strip()
        assert open_policy(raw)
    else:
        default = safety_validator.settings.Settings.model_fields["policy_file"].default
        assert settings.policy_file == default
