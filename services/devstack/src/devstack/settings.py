"""Settings of the runner, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import StackError

DEFAULT_PORT = 8000
# The services listen on the three ports after the front's.
SERVICE_COUNT = 3


@dataclass(frozen=True)
class Settings:
    """Where to listen, where the data lies, and which servers are somebody else's."""

    port: int
    data_dir: Path
    database_url: str | None
    database_replica_url: str | None
    database_direct_url: str | None
    redis_url: str | None
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        """The one address."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises StackError where a variable makes no sense."""
        settings = cls(
            port=_read_port(environment.get("PORT") or str(DEFAULT_PORT)),
            data_dir=Path(environment.get("DATA_DIR") or ".data").absolute(),
            database_url=environment.get("DATABASE_URL") or None,
            database_replica_url=environment.get("DATABASE_REPLICA_URL") or None,
            database_direct_url=environment.get("DATABASE_DIRECT_URL") or None,
            redis_url=environment.get("REDIS_URL") or None,
            environment=environment,
        )
        if settings.database_url is None:
            for name in ("DATABASE_REPLICA_URL", "DATABASE_DIRECT_URL"):
                if environment.get(name):
                    raise StackError(f"{name} needs DATABASE_URL beside it")
        return settings


def _read_port(text: str) -> int:
    last = 65_535 - SERVICE_COUNT
    if text.isascii() and text.isdigit() and 1 <= int(text) <= last:
        return int(text)
    raise StackError(f"PORT={text} is not a port between 1 and {last}")
