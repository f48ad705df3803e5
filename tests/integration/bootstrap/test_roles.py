"""Roles and schemas on a server that comes late, by an owner with few rights."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bootstrap import database as database_module
from bootstrap import roles as roles_module
from bootstrap.database import ROLES
from bootstrap.dsn import replace_role
from bootstrap.roles import make
from devstack.postgres import Primary
from servicekit.jobs import JobFailed

DATABASE = "claude_agi"
OWNER = "app"
SECRETS = {role: f"{role}-secret/@:1" for role in ROLES}


async def run(dsn: str, *statements: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        found = None
        for statement in statements:
            found = await connection.fetchval(statement)
        return found
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def owner(
    primary: Primary, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """The DSN of a database's owner, who may create roles and is no superuser, as an
    operator makes it; the Job is told so."""
    superuser = primary.dsn()
    await run(
        superuser,
        f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD 'deed'",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
    )
    dsn = replace_role(primary.dsn(DATABASE), OWNER, "deed")
    monkeypatch.setenv("ADMIN_DSN", dsn)
    for role, password in SECRETS.items():
        monkeypatch.setenv(f"{role.upper()}_PASSWORD", password)
    yield dsn
    await run(superuser, f"DROP DATABASE {DATABASE} WITH (FORCE)")
    for role in (*ROLES, OWNER):
        await run(superuser, f"DROP ROLE IF EXISTS {role}")


async def can_work(dsn: str) -> None:
    """Each role logs in and makes tables in its own schema, not in others'."""
    for role, password in SECRETS.items():
        own = replace_role(dsn, role, password)
        await run(own, "CREATE TABLE IF NOT EXISTS mine ()")
        assert await run(own, "SELECT current_user || current_schema()") == role * 2
        for other in set(ROLES) - {role}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await run(own, f"CREATE TABLE {other}.theirs ()")


async def test_an_owner_makes_them_once(owner: str) -> None:
    with capture_logs() as lines:
        await make()
        await can_work(owner)
        await make()
    await can_work(owner)
    told = [(line["made"], line["new_passwords"]) for line in lines]
    assert told == [(sorted(ROLES), []), ([], [])]
    assert "secret" not in repr(lines)


async def test_a_superuser_makes_them_as_well(
    owner: str, primary: Primary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_DSN", primary.dsn(DATABASE))
    await make()
    await can_work(owner)


async def test_passwords_that_changed_are_fitted(
    owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMORY_PASSWORD", "old")
    await make()
    monkeypatch.setenv("MEMORY_PASSWORD", SECRETS["memory"])
    with capture_logs() as lines:
        await make()
    assert [(line["made"], line["new_passwords"]) for line in lines] == [
        ([], ["memory"])
    ]
    await can_work(owner)


async def test_several_at_once_make_them_once(owner: str) -> None:
    with capture_logs() as lines:
        await asyncio.gather(*(make() for _ in range(4)))
    made = [line["made"] for line in lines if line["event"] == "the roles are there"]
    assert sorted(made) == [[], [], [], sorted(ROLES)]
    await can_work(owner)


async def until_it_waits(lines: Sequence[EventDict], said: str) -> None:
    async with asyncio.timeout(10.0):
        while not any(said in str(line.get("reason")) for line in lines):
            await asyncio.sleep(0.01)


async def test_it_waits_for_server_password_and_right(
    owner: str, primary: Primary
) -> None:
    """As where an operator makes them one after another."""
    superuser = primary.dsn()
    await run(superuser, f"ALTER ROLE {OWNER} NOCREATEROLE PASSWORD 'another'")
    await primary.stop()
    with capture_logs() as lines:
        making = asyncio.create_task(make())
        await until_it_waits(lines, "ADMIN_DSN: no connection to ")
        await primary.start()
        await until_it_waits(lines, "ADMIN_DSN: the server does not let it in: ")
        await run(superuser, f"ALTER ROLE {OWNER} PASSWORD 'deed'")
        await until_it_waits(lines, "must be allowed to create roles (CREATEROLE)")
        await run(superuser, f"ALTER ROLE {OWNER} CREATEROLE")
        await making
    assert "deed" not in repr(lines)
    await can_work(owner)


async def test_it_gives_up_in_the_end(
    owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles_module, "DEADLINE_S", 0.2)
    monkeypatch.setenv("ADMIN_DSN", replace_role(owner, "nobody", "unknown"))
    with pytest.raises(JobFailed, match=r"gave up after .*: ADMIN_DSN: .*nobody"):
        await make()


@pytest.mark.parametrize("missing", ["ADMIN_DSN", "SAFETY_PASSWORD"])
async def test_what_it_must_be_told(
    owner: str, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(JobFailed, match=f"{missing} is not set"):
        await make()


async def test_what_waiting_cannot_mend(
    owner: str, primary: Primary, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(primary.dsn(), "CREATE ROLE memory LOGIN PASSWORD 'theirs'")
    with pytest.raises(JobFailed, match="ADMIN_DSN: the server has a role 'memory' al"):
        await make()
    monkeypatch.setattr(database_module, "MIN_SERVER_VERSION", 99)
    with pytest.raises(JobFailed, match=r"ADMIN_DSN: PostgreSQL \d+ is too old, 99"):
        await make()
    monkeypatch.setenv("ADMIN_DSN_FROM", "a value")
    for broken in ("postgresql://a:half%@[b", f"host={Path('/nowhere')}"):
        monkeypatch.setenv("ADMIN_DSN", broken)
        with pytest.raises(JobFailed, match=r"ADMIN_DSN \(a value\) is not a P"):
            await make()
