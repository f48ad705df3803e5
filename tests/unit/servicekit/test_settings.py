"""Settings from the environment, and which of them a process refuses."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from servicekit.settings import ServiceSettings

SECRET = "do-not-print-this"
ONE_KEY = f'[{{"key": "{SECRET}", "scopes": ["read", "write"], "agents": ["ada"]}}]'


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable but the one that every service needs."""
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://memory:{SECRET}@db/mind")
    return monkeypatch


def test_defaults_bind_the_loopback_alone() -> None:
    settings = ServiceSettings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.api_keys == []
    assert settings.service_key_text is None
    assert settings.database_replica_url is None
    assert (settings.database_pool_size, settings.shutdown_seconds) == (10, 3)


def test_pools_and_the_end_are_as_large_as_told(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("DATABASE_POOL_SIZE", "2")
    environment.setenv("SHUTDOWN_SECONDS", "30")
    settings = ServiceSettings()
    assert (settings.database_pool_size, settings.shutdown_seconds) == (2, 30)


def test_keys_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_KEYS", ONE_KEY)
    environment.setenv("SERVICE_KEY", "between-services")
    environment.setenv("HOST", "0.0.0.0")
    settings = ServiceSettings()
    (key,) = settings.api_keys
    assert key.key.get_secret_value() == SECRET
    assert (key.scopes, key.agents) == ({"read", "write"}, {"ada"})
    assert settings.service_key_text == "between-services"


def test_keys_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('[{"key": "filed", "scopes": ["admin"]}]')
    environment.setenv("API_KEYS_FILE", str(file))
    environment.setenv("HOST", "0.0.0.0")
    (key,) = ServiceSettings().api_keys
    assert key.key.get_secret_value() == "filed"
    assert key.agents == {"*"}


@pytest.mark.parametrize("empty", ["", "  ", "[]"])
def test_no_keys_are_no_keys(environment: pytest.MonkeyPatch, empty: str) -> None:
    environment.setenv("API_KEYS", empty)
    assert ServiceSettings().api_keys == []


@pytest.mark.parametrize("name", ["PORT", "HOST", "SERVICE_KEY", "API_KEYS_FILE"])
def test_an_empty_variable_is_none(environment: pytest.MonkeyPatch, name: str) -> None:
    usual = ServiceSettings()
    environment.setenv(name, "")
    assert ServiceSettings() == usual


BROKEN = {
    "not JSON": SECRET,
    "cut off": ONE_KEY[:-3],
    "no list": '{"key": "' + SECRET + '", "scopes": ["read"]}',
    "a list of texts": f'["{SECRET}"]',
    "no key": '[{"scopes": ["read"]}]',
    "an empty key": '[{"key": "", "scopes": ["read"]}]',
    "no scopes": f'[{{"key": "{SECRET}"}}]',
    "an unknown scope": f'[{{"key": "{SECRET}", "scopes": ["all"]}}]',
    "a misspelt field": f'[{{"key": "{SECRET}", "scopes": ["read"], "agent": ["a"]}}]',
    "agents that are no list": f'[{{"key":"{SECRET}","scopes":["read"],"agents":1}}]',
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("source", ["environment", "file"])
def test_broken_keys_are_refused_without_being_shown(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str, source: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(BROKEN[name])
    if source == "file":
        environment.setenv("API_KEYS_FILE", str(file))
    else:
        environment.setenv("API_KEYS", BROKEN[name])
    with pytest.raises(ValidationError) as caught:
        ServiceSettings()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "memory"])
def test_an_open_door_needs_keys(environment: pytest.MonkeyPatch, host: str) -> None:
    environment.setenv("HOST", host)
    environment.setenv("SERVICE_KEY", "between-services")
    with pytest.raises(ValidationError, match=f"HOST={host} is reachable"):
        ServiceSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("LOG_LEVEL", "LOUD"),
        ("DATABASE_POOL_SIZE", "1"),
        ("DATABASE_POOL_SIZE", "many"),
        ("SHUTDOWN_SECONDS", "0"),
        ("SHUTDOWN_SECONDS", "-3"),
    ],
)
def test_what_does_not_fit_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        ServiceSettings()


def test_printed_settings_show_no_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_KEYS", ONE_KEY)
    environment.setenv("SERVICE_KEY", SECRET)
    assert SECRET not in f"{ServiceSettings()!r} {ServiceSettings()}"
