"""A connection to PostgreSQL that may have to be waited for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg

from servicekit.jobs import JobFailed, NotYet

__all__ = ["connected"]

TIMEOUT_S = 5.0
# What a server that is away, starts, or is no primary makes of a call.
AWAY = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


@asynccontextmanager
async def connected(variable: str, dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection by the DSN that this variable holds.

    What goes wrong becomes NotYet, or JobFailed where the DSN is none; what the block
    itself raises as one of them passes.
    """
    connection = await _connect(variable, dsn)
    try:
        yield connection
    except AWAY as error:
        raise NotYet(f"{variable}: {_reason(error)}") from error
    finally:
        with suppress(*AWAY):
            await connection.close(timeout=TIMEOUT_S)


async def _connect(variable: str, dsn: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(dsn, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    except ValueError:
        # Its text quotes what it could not read, which may be half a password.
        raise JobFailed(
            f"{variable} is not a PostgreSQL address (is its password percent-encoded?)"
        ) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise NotYet(f"{variable}: the server does not let it in: {error}") from error
    except AWAY as error:
        raise NotYet(
            f"{variable}: no connection to {_hosts(dsn)}: {_reason(error)}"
        ) from error


def _reason(error: BaseException) -> str:
    return str(error) or "no answer in time"


def _hosts(dsn: str) -> str:
    """The servers; nothing where a password that is not encoded might be shown."""
    _, parted, hosts = urlsplit(dsn).netloc.rpartition("@")
    return hosts if parted and hosts else "the server"
