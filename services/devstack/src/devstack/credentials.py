"""Passwords and keys that a data folder's servers and services know each other by."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from devstack.errors import StackError

FILE_NAME = "secrets.json"
TOKEN_BYTES = 24


@dataclass(frozen=True)
class Credentials:
    """Made once for a data folder; each field is a secret."""

    postgres: str
    replicator: str
    thinking: str
    memory: str
    safety: str
    service_key: str

    def __repr__(self) -> str:
        return "Credentials(…)"

    def password(self, role: str) -> str:
        """The password of a role of that name."""
        return str(getattr(self, role))

    @classmethod
    def load(cls, folder: Path) -> "Credentials":
        """Reads the folder's secrets, or makes them (mode 0600)."""
        file = folder / FILE_NAME
        if not file.exists():
            cls._generate()._write(file)
        try:
            return cls(**json.loads(file.read_text()))
        except (ValueError, TypeError) as error:
            raise StackError(
                f"{file} cannot be read as secrets; restore it from a copy"
            ) from error

    @classmethod
    def _generate(cls) -> "Credentials":
        return cls(**{f.name: secrets.token_urlsafe(TOKEN_BYTES) for f in fields(cls)})

    def _write(self, file: Path) -> None:
        half = file.with_suffix(".new")
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(self), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        half.rename(file)
