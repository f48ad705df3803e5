"""Servers that a test has for itself, and the folder that they live in."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack.postgres import Postgres, Primary


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that the account of PostgreSQL can reach, also when root makes it."""
    # Short, since a socket's whole path has a hundred characters at most.
    with TemporaryDirectory(prefix="claude-agi-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@asynccontextmanager
async def own_primary() -> AsyncIterator[Primary]:
    """A PostgreSQL without any of our roles, gone with the block."""
    with server_folder() as folder:
        async with Postgres.primary(folder) as primary:
            yield primary
