"""The database of the three services, as the runner makes it."""

import asyncpg

from bootstrap.database import (
    ROLES,
    RoleTaken,
    ServerTooOld,
    check_version,
    dsns_at,
    fit_passwords,
    make_roles,
)
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.postgres import AWAY, CONNECT_TIMEOUT_S, Postgres, Primary, make_dsn

DATABASE = "claude_agi"


async def bootstrap(primary: Primary) -> dict[str, str]:
    """Makes database, roles and schemas where missing; returns each role's DSN."""
    try:
        connection = await primary.connect(DATABASE)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(primary)
        connection = await primary.connect(DATABASE)
    try:
        await make_roles(connection, _passwords(primary.credentials), own_database=True)
    except RoleTaken as error:
        raise StackError(str(error)) from error
    finally:
        await connection.close()
    return {role: dsn_on(primary, role) for role in ROLES}


def dsn_on(server: Postgres, role: str) -> str:
    """The DSN of a service's role on a server."""
    return make_dsn(role, server.credentials.password(role), DATABASE, server)


async def bootstrap_foreign(url: str, credentials: Credentials) -> dict[str, str]:
    """The same in a database of somebody else's server.

    What other roles may do there stays as it is. Raises StackError, naming
    DATABASE_URL and never its password.
    """
    passwords = _passwords(credentials)
    connection = await connect_foreign("DATABASE_URL", url)
    try:
        check_version(connection)
        await make_roles(connection, passwords, own_database=False)
        # Another data folder may have chosen other passwords before.
        await fit_passwords(connection, url, passwords)
    except ServerTooOld as error:
        raise StackError(f"DATABASE_URL: {error}") from error
    except RoleTaken as error:
        raise StackError(str(error)) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise StackError(
            f"DATABASE_URL: its role must be allowed to create roles and schemas: "
            f"{error}"
        ) from error
    finally:
        await connection.close()
    return dsns_at(url, passwords)


async def connect_foreign(variable: str, url: str) -> asyncpg.Connection:
    """Connects; raises StackError that names the variable."""
    try:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except AWAY as error:
        reason = str(error) or "no answer in time"
    except ValueError:
        # Its text quotes what it could not read, which may be half a password.
        reason = "this is not a PostgreSQL address (is its password percent-encoded?)"
    raise StackError(f"{variable}: no connection: {reason}")


def dsns_foreign(url: str, credentials: Credentials) -> dict[str, str]:
    """How each role reaches somebody else's server."""
    return dsns_at(url, _passwords(credentials))


def _passwords(credentials: Credentials) -> dict[str, str]:
    return {role: credentials.password(role) for role in ROLES}


async def _create_database(primary: Primary) -> None:
    connection = await primary.connect()
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
