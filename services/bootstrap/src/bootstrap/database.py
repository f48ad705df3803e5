"""The database of the three services: a role and a schema for each."""

import asyncio
from collections.abc import Mapping

import asyncpg

from bootstrap import sql
from bootstrap.dsn import replace_role

ROLES = ("thinking", "memory", "safety")
# Schemas owned by others' roles, builtin collations: what migrations rely on.
MIN_SERVER_VERSION = 15
CONNECT_TIMEOUT_S = 5.0


class ServerTooOld(Exception):
    """The server lacks what migrations rely on."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"PostgreSQL {version} is too old, "
            f"{MIN_SERVER_VERSION} is the oldest that works"
        )


class RoleTaken(Exception):
    """Somebody uses a role of that name, or used it in another database."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"the server has a role {role!r} already, without a schema "
            f"of that name here: claude-agi needs the role for itself"
        )


def check_version(connection: asyncpg.Connection) -> None:
    """Raises ServerTooOld."""
    version = connection.get_server_version().major
    if version < MIN_SERVER_VERSION:
        raise ServerTooOld(version)


async def make_roles(
    connection: asyncpg.Connection,
    passwords: Mapping[str, str],
    *,
    own_database: bool,
) -> list[str]:
    """Makes roles and schemas where missing, all or none; returns which.

    Nobody but them may use a database of our own; in another's all stays as it is.
    Raises RoleTaken.
    """
    missing = await connection.fetch(sql.load("missing"), list(passwords))
    for row in missing:
        if not row["lacks_role"]:
            raise RoleTaken(row["name"])
    if not missing:
        return []
    async with connection.transaction():
        if own_database:
            await say(connection, "close_database")
        for row in missing:
            await _make_role(connection, row["name"], passwords[row["name"]])
    return [row["name"] for row in missing]


async def _make_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    await say(connection, "create_role", role, password, "")
    for name in (
        "grant_connect",
        "grant_membership",
        "create_schema",
        "set_search_path",
    ):
        await say(connection, name, role)


async def fit_passwords(
    connection: asyncpg.Connection, url: str, passwords: Mapping[str, str]
) -> list[str]:
    """Gives the roles their passwords where others are in force; returns which."""
    return [
        role
        for role, password in passwords.items()
        if await _fit_password(connection, url, role, password)
    ]


async def say(connection: asyncpg.Connection, name: str, *arguments: str) -> None:
    """Runs the statement that a query words; names cannot be parameters of DDL."""
    statement = await connection.fetchval(sql.load(name), *arguments)
    if statement is not None:
        await connection.execute(statement)


def dsns_at(url: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """How each role reaches the database that `url` names."""
    return {
        role: replace_role(url, role, password) for role, password in passwords.items()
    }


async def _fit_password(
    connection: asyncpg.Connection, url: str, role: str, password: str
) -> bool:
    dsn = replace_role(url, role, password)
    try:
        probe = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError:
        await say(connection, "change_password", role, password)
        return True
    await asyncio.wait_for(probe.close(), CONNECT_TIMEOUT_S)
    return False
