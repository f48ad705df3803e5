"""Roles and schemas: each service's own, on our server and on somebody else's."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from bootstrap.database import ROLES
from devstack.credentials import Credentials
from devstack.database import DATABASE, bootstrap, bootstrap_foreign
from devstack.errors import StackError
from devstack.postgres import Postgres, Primary

ADMIN = "landlord"


@pytest_asyncio.fixture
async def primary(folder: Path) -> AsyncIterator[Primary]:
    async with Postgres.primary(folder) as started:
        yield started


async def run(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_each_role_owns_its_schema_and_nothing_else(primary: Primary) -> None:
    dsns = await bootstrap(primary)
    assert await bootstrap(primary) == dsns
    for role, dsn in dsns.items():
        await run(dsn, "CREATE TABLE mine AS SELECT 1 AS one")
        assert await run(dsn, "SHOW search_path") == role
        assert await run(dsn, f"SELECT one FROM {role}.mine") == 1
        await run(dsn, "CREATE TEMPORARY TABLE passing ()")
        for foreign in (f"SELECT * FROM {other}.mine" for other in ROLES):
            if f" {role}." not in foreign:
                with pytest.raises(
                    (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)
                ):
                    await run(dsn, foreign)
        for forbidden in ("CREATE TABLE public.x ()", "CREATE SCHEMA x"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await run(dsn, forbidden)


async def test_only_the_roles_may_connect(primary: Primary) -> None:
    await bootstrap(primary)
    await run(primary.dsn(), "CREATE ROLE stranger LOGIN PASSWORD 'known'")
    dsn = primary.dsn(DATABASE).replace(
        f"postgres:{primary.credentials.postgres}", "stranger:known"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await run(dsn, "SELECT 1")


@pytest_asyncio.fixture
async def landlord(primary: Primary) -> str:
    """The DSN of a role that may make roles and, in its database, schemas."""
    await run(primary.dsn(), f"CREATE ROLE {ADMIN} LOGIN CREATEROLE PASSWORD 'deed'")
    await run(primary.dsn(), f"CREATE DATABASE house OWNER {ADMIN}")
    return primary.dsn("house").replace(
        f"postgres:{primary.credentials.postgres}", f"{ADMIN}:deed"
    )


async def test_a_landlord_that_is_no_superuser_is_enough(
    folder: Path, landlord: str
) -> None:
    credentials = Credentials.load(folder)
    dsns = await bootstrap_foreign(landlord, credentials)
    assert await bootstrap_foreign(landlord, credentials) == dsns
    for role, dsn in dsns.items():
        await run(dsn, "CREATE TABLE mine ()")
        assert await run(dsn, "SELECT current_user || current_schema()") == role * 2
    # What others may do in a house that is not ours stays as it was.
    assert await run(
        landlord, "SELECT has_schema_privilege('public', 'public', 'USAGE')"
    )


async def test_another_data_folder_may_move_in(
    folder: Path, tmp_path: Path, landlord: str
) -> None:
    await bootstrap_foreign(landlord, Credentials.load(folder))
    dsns = await bootstrap_foreign(landlord, Credentials.load(tmp_path))
    assert await run(dsns["memory"], "SELECT current_user") == "memory"


async def test_a_role_that_somebody_else_uses_is_not_taken(
    folder: Path, primary: Primary, landlord: str
) -> None:
    await run(primary.dsn(), "CREATE ROLE memory LOGIN PASSWORD 'theirs'")
    with pytest.raises(StackError, match="role 'memory' already"):
        await bootstrap_foreign(landlord, Credentials.load(folder))
    assert (
        await run(
            primary.dsn(), "SELECT count(*) FROM pg_roles WHERE rolname = 'thinking'"
        )
        == 0
    )


async def test_a_landlord_without_the_right_is_told_so(
    folder: Path, primary: Primary, landlord: str
) -> None:
    await run(primary.dsn(), f"ALTER ROLE {ADMIN} NOCREATEROLE")
    with pytest.raises(StackError, match="DATABASE_URL: its role must be allowed"):
        await bootstrap_foreign(landlord, Credentials.load(folder))
