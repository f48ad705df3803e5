"""Settings that every service has, read once from the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["ApiKey", "ServiceSettings"]

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class ApiKey(BaseModel):
    """A key, what it may do and whose minds it may reach (`*`: all)."""

    # A misspelt `agents` must not open all of them.
    model_config = ConfigDict(extra="forbid")

    key: Annotated[SecretStr, Field(min_length=1)]
    scopes: set[Literal["read", "write", "admin"]]
    agents: set[str] = {"*"}


_KEYS = TypeAdapter(list[ApiKey])


def _parse_keys(value: object) -> object:
    if isinstance(value, str):
        return _KEYS.validate_json(value) if value.strip() else []
    return value


class ServiceSettings(BaseSettings):
    """Environment variables of the same names, in capitals."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database_url: SecretStr
    database_replica_url: SecretStr | None = None
    # Where the others go through a pooler: a direct address for LISTEN.
    database_direct_url: SecretStr | None = None
    # Connections at most, to the primary and to the replicas each.
    database_pool_size: Annotated[int, Field(ge=2, le=1000)] = 10
    api_keys: Annotated[list[ApiKey], NoDecode, BeforeValidator(_parse_keys)] = []
    api_keys_file: Path | None = None
    service_key: SecretStr | None = None
    # What is under way when the process is told to stop gets this long.
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = 3

    @model_validator(mode="after")
    def _read_keys_file(self) -> "ServiceSettings":
        if self.api_keys_file is not None:
            self.api_keys = _KEYS.validate_json(self.api_keys_file.read_bytes())
        return self

    @model_validator(mode="after")
    def _guard_open_doors(self) -> "ServiceSettings":
        if not self.api_keys and self.host not in LOOPBACK_HOSTS:
            raise ValueError(
                f"HOST={self.host} is reachable from elsewhere: set API_KEYS or "
                "API_KEYS_FILE, or bind 127.0.0.1"
            )
        return self

    @property
    def service_key_text(self) -> str | None:
        """The key services call each other with."""
        return self.service_key.get_secret_value() if self.service_key else None
