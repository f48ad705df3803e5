"""Migrations: applied once, whole or not at all, by one at a time."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.integration.servicekit.pod.app import PACKAGE
from tests.integration.servicekit.process import start_pod
from tests.integration.servicekit.servers import Cluster, in_schema, until

from bootstrap.database import ROLES
from devstack.database import bootstrap
from devstack.postgres import SUPERUSER, make_dsn
from servicekit.database import Database
from servicekit.migrations import apply_migrations, migration_folder, pending

MakePackage = Callable[..., str]
FIRST = "CREATE TABLE first (n int); INSERT INTO first VALUES (1);"


@pytest_asyncio.fixture
async def schema(cluster: Cluster, name: str) -> str:
    """An empty schema of this test."""
    return await cluster.create_schema(name)


@pytest.fixture
def dsn(cluster: Cluster, name: str, schema: str) -> str:
    """Where that schema is all that is seen."""
    return in_schema(cluster.primary.dsn(name), schema)


@pytest_asyncio.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(dsn)
    yield opened
    await opened.close()


@pytest.fixture
def make_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> MakePackage:
    """Makes, or changes, an importable package with those migrations."""
    name = f"migrated_{abs(hash(request.node.nodeid))}"
    folder = tmp_path / name / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def make(**migrations: str) -> str:
        for number, text in migrations.items():
            (folder / f"{number.lstrip('_')}.sql").write_text(text)
        return name

    return make


async def apply(dsn: str, package: str) -> None:
    await asyncio.to_thread(apply_migrations, dsn, package)


async def tables(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return {row["tablename"] for row in rows if "yoyo" not in row["tablename"]}


async def test_what_is_pending_is_applied_in_order_and_once(
    dsn: str, connection: asyncpg.Connection, make_package: MakePackage
) -> None:
    package = make_package(
        _0001_first=FIRST, _0002_more="ALTER TABLE first ADD COLUMN m int DEFAULT 2"
    )
    assert await pending(connection, package) == ["0001_first", "0002_more"]
    for _ in range(2):
        await apply(dsn, package)
        assert await pending(connection, package) == []
    assert [tuple(row) for row in await connection.fetch("TABLE first")] == [(1, 2)]
    make_package(_0003_last="CREATE TABLE last ()")
    assert await pending(connection, package) == ["0003_last"]
    await apply(dsn, package)
    assert await tables(connection) == {"first", "last"}


async def test_readiness_names_what_is_pending(dsn: str) -> None:
    database = Database("test", PACKAGE, SecretStr(dsn), None)
    await database.open()
    lack = "migrations missing: 0001_notes, 0002_authors"
    assert await database.check() == lack
    await apply(dsn, PACKAGE)
    assert await database.check() is None
    await database.close()


async def test_a_broken_migration_leaves_nothing_half_applied(
    dsn: str, connection: asyncpg.Connection, make_package: MakePackage
) -> None:
    package = make_package(
        _0001_first=FIRST,
        _0002_broken="CREATE TABLE half (); UPDATE first SET n = 7; SELECT 1 / 0;",
        _0003_last="CREATE TABLE last ()",
    )
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await apply(dsn, package)
        assert await tables(connection) == {"first"}
        assert await connection.fetchval("SELECT n FROM first") == 1
        assert await pending(connection, package) == ["0002_broken", "0003_last"]
    make_package(_0002_broken="CREATE TABLE half ();")
    await apply(dsn, package)
    assert await tables(connection) == {"first", "half", "last"}


async def test_what_is_not_recorded_is_not_applied(
    dsn: str, connection: asyncpg.Connection, make_package: MakePackage
) -> None:
    """As for a process that is killed before it records what it did."""
    await apply(dsn, make_package(_0001_first=FIRST))
    await connection.execute(
        "ALTER TABLE _yoyo_migration ADD CHECK (migration_id <> '0002_more') NOT VALID"
    )
    package = make_package(_0002_more="CREATE TABLE more ()")
    with pytest.raises(psycopg.errors.CheckViolation):
        await apply(dsn, package)
    assert await tables(connection) == {"first"}
    await connection.execute(
        "ALTER TABLE _yoyo_migration DROP CONSTRAINT _yoyo_migration_migration_id_check"
    )
    await apply(dsn, package)
    assert await tables(connection) == {"first", "more"}


async def test_several_at_once_apply_each_migration_once(
    dsn: str, connection: asyncpg.Connection, make_package: MakePackage
) -> None:
    package = make_package(_0001_first=FIRST)
    await asyncio.gather(*(apply(dsn, package) for _ in range(4)))
    make_package(_0002_slow="SELECT pg_sleep(0.2); INSERT INTO first VALUES (2);")
    await asyncio.gather(*(apply(dsn, package) for _ in range(4)))
    assert [row["n"] for row in await connection.fetch("TABLE first")] == [1, 2]
    assert await pending(connection, package) == []


INDEX = """
-- Beside the traffic.
-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS first_n;
CREATE INDEX CONCURRENTLY first_n ON first (n);
"""
IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'first_n'::regclass"


async def test_an_index_is_made_while_others_write(
    dsn: str, connection: asyncpg.Connection, make_package: MakePackage
) -> None:
    package = make_package(_0001_first=FIRST)
    await apply(dsn, package)
    make_package(_0002_index=INDEX)
    writer = await asyncpg.connect(dsn)
    async with writer.transaction():
        await writer.execute("INSERT INTO first VALUES (2)")
        # Who waits for its turn holds up none that is at work.
        applying = [asyncio.create_task(apply(dsn, package)) for _ in range(2)]
        await until(lambda: _is_waiting(connection))
        await connection.execute("INSERT INTO first VALUES (3)")
    async with asyncio.timeout(20.0):
        await asyncio.gather(*applying)
    await writer.close()
    assert await connection.fetchval(IS_VALID)
    assert await pending(connection, package) == []


async def test_an_index_that_was_cut_off_is_made_anew(
    dsn: str, connection: asyncpg.Connection, make_package: MakePackage
) -> None:
    package = make_package(_0001_first=FIRST)
    await apply(dsn, package)
    await connection.execute("INSERT INTO first VALUES (1)")
    unfit = INDEX.replace("CREATE INDEX", "CREATE UNIQUE INDEX")
    make_package(_0002_index=unfit)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await apply(dsn, package)
    assert not await connection.fetchval(IS_VALID)
    assert await pending(connection, package) == ["0002_index"]
    make_package(_0002_index=INDEX)
    await apply(dsn, package)
    assert await connection.fetchval(IS_VALID)
    assert await pending(connection, package) == []


async def test_a_killed_migration_is_in_nobody_s_way(
    dsn: str, connection: asyncpg.Connection
) -> None:
    """As a pod that is evicted while it migrates."""
    # Whoever wants the second migration waits for this table.
    await apply(dsn, PACKAGE)
    await connection.execute(
        "DELETE FROM _yoyo_migration WHERE migration_id = '0002_authors'; "
        "ALTER TABLE notes DROP COLUMN author"
    )
    holder = await asyncpg.connect(dsn)
    async with holder.transaction():
        await holder.execute("LOCK TABLE notes")
        async with start_pod("migrate", DATABASE_URL=dsn) as pod:
            await until(lambda: _is_waiting(connection))
            pod.process.kill()
            await pod.process.wait()
    await holder.close()
    await until(lambda: _is_alone(connection))
    async with asyncio.timeout(8.0):
        await apply(dsn, PACKAGE)
    assert await pending(connection, PACKAGE) == []


OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def _is_waiting(connection: asyncpg.Connection) -> bool:
    waiting = await connection.fetchval(OTHERS + "AND wait_event_type = 'Lock'")
    return bool(waiting)


async def _is_alone(connection: asyncpg.Connection) -> bool:
    return not await connection.fetchval(OTHERS)


async def test_the_command_applies_them(
    dsn: str, connection: asyncpg.Connection
) -> None:
    async with start_pod("migrate", DATABASE_URL=dsn) as pod:
        assert await pod.wait() == 0, pod.output
    assert await pending(connection, PACKAGE) == []
    assert "notes" in await tables(connection)


async def test_each_service_migrates_its_own_schema(cluster: Cluster) -> None:
    dsns = await bootstrap(cluster.primary)
    for dsn in dsns.values():
        await apply(dsn, PACKAGE)
    for role, dsn in dsns.items():
        connection = await asyncpg.connect(dsn)
        assert await pending(connection, PACKAGE) == []
        await connection.execute("INSERT INTO notes (content) VALUES ('mine')")
        assert await connection.fetchval(f"SELECT content FROM {role}.notes") == "mine"
        for other in set(ROLES) - {role}:
            for table in ("notes", "_yoyo_migration"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch(f"SELECT * FROM {other}.{table}")
        await connection.close()


@pytest.mark.parametrize("password", ["p@ss:w%rd&?=#", "ü", "a b+c", "%40"])
async def test_any_password_and_several_hosts_will_do(
    cluster: Cluster,
    name: str,
    schema: str,
    connection: asyncpg.Connection,
    password: str,
) -> None:
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
    role = f"odd_{schema}"
    await connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD {quoted}")
    await cluster.caught_up("postgres")
    odd = make_dsn(role, password, name, cluster.replica, cluster.primary)
    await apply(in_schema(odd, schema), PACKAGE)
    assert await pending(connection, PACKAGE) == []


@pytest.mark.parametrize(
    "hosts", ["127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2", "127.0.0.1,127.0.0.1:2", ""]
)
async def test_a_server_that_is_not_there_is_an_error_without_the_password(
    hosts: str,
) -> None:
    query = "?host=/nowhere,/nowhere&port=1,2" if not hosts else ""
    dsn = f"postgresql://{SUPERUSER}:secret@{hosts}/mind{query}"
    with pytest.raises(psycopg.OperationalError) as caught:
        await apply(dsn, PACKAGE)
    assert "secret" not in str(caught.value)


def test_migrations_lie_in_the_package_or_beside_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "checkout" / "src" / "beside_its_source"
    source.mkdir(parents=True)
    (source / "__init__.py").touch()
    monkeypatch.syspath_prepend(source.parent)
    assert migration_folder("beside_its_source") == tmp_path / "checkout/migrations"
    package = Path(importlib.import_module(PACKAGE).__file__ or "").parent
    assert migration_folder(PACKAGE) == package / "migrations"
