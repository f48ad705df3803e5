"""The database of the three services: a role and a schema for each."""

import asyncio
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg

from devstack import sql
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.postgres import AWAY, CONNECT_TIMEOUT_S, Postgres, Primary, make_dsn

DATABASE = "claude_agi"
ROLES = ("thinking", "memory", "safety")
# Schemas owned by others' roles, builtin collations: what migrations rely on.
MIN_SERVER_VERSION = 15


async def bootstrap(primary: Primary) -> dict[str, str]:
    """Makes database, roles and schemas where missing; returns each role's DSN."""
    try:
        connection = await primary.connect(DATABASE)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(primary)
        connection = await primary.connect(DATABASE)
    try:
        await _make_roles(connection, primary.credentials, own_database=True)
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
    connection = await connect_foreign("DATABASE_URL", url)
    try:
        version = connection.get_server_version().major
        if version < MIN_SERVER_VERSION:
            raise StackError(
                f"DATABASE_URL: PostgreSQL {version} is too old, "
                f"{MIN_SERVER_VERSION} is the oldest that works"
            )
        await _make_roles(connection, credentials, own_database=False)
        for role in ROLES:
            await _fit_password(connection, url, role, credentials.password(role))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StackError(
            f"DATABASE_URL: its role must be allowed to create roles and schemas: "
            f"{error}"
        ) from error
    finally:
        await connection.close()
    return {role: replace_role(url, role, credentials.password(role)) for role in ROLES}


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


def replace_role(url: str, role: str, password: str) -> str:
    """The same server and database for another role."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(role)}:{quote(password)}@{hosts}"
    query = urlencode(
        [
            (key, value)
            for key, value in parse_qsl(parts.query)
            if key not in {"user", "password"}
        ],
        safe="/,:",
    )
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


async def _create_database(primary: Primary) -> None:
    connection = await primary.connect()
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


async def _make_roles(
    connection: asyncpg.Connection, credentials: Credentials, *, own_database: bool
) -> None:
    missing = await connection.fetch(sql.load("missing"), list(ROLES))
    for row in missing:
        if not row["lacks_role"]:
            raise StackError(
                f"the server has a role {row['name']!r} already, without a schema "
                f"of that name here: claude-agi needs the role for itself"
            )
    if not missing:
        return
    async with connection.transaction():
        if own_database:
            await _say(connection, "close_database")
        for row in missing:
            role = row["name"]
            password = credentials.password(role)
            await _say(connection, "create_role", role, password, "")
            for name in (
                "grant_connect",
                "grant_membership",
                "create_schema",
                "set_search_path",
            ):
                await _say(connection, name, role)


async def _say(connection: asyncpg.Connection, name: str, *arguments: str) -> None:
    """Runs the statement that a query words; names cannot be parameters of DDL."""
    statement = await connection.fetchval(sql.load(name), *arguments)
    if statement is not None:
        await connection.execute(statement)


async def _fit_password(
    connection: asyncpg.Connection, url: str, role: str, password: str
) -> None:
    """Another data folder may have chosen the role's password before."""
    dsn = replace_role(url, role, password)
    try:
        probe = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError:
        await _say(connection, "change_password", role, password)
    else:
        await asyncio.wait_for(probe.close(), CONNECT_TIMEOUT_S)
