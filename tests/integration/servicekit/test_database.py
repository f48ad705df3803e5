"""The database: what is out, slow or wrong becomes an error of one kind, in time."""

import asyncio

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.integration.servicekit.pod.app import PACKAGE
from tests.integration.servicekit.servers import (
    RECOVERY_S,
    Cluster,
    dsn_of,
    kill,
    stopped,
    until,
)

from devstack.postgres import SUPERUSER, make_dsn
from servicekit import database as database_module
from servicekit.background import Background
from servicekit.database import Database
from servicekit.errors import DatabaseUnavailable, InvalidRequest
from servicekit.health import CHECK_TIMEOUT_S
from servicekit.migrations import apply_migrations

ASK = "SELECT pg_is_in_recovery() AS replica"
# Longer than anything may take that does not wait for a server which is out.
BOUND_S = 5.0


async def answers(database: Database) -> bool:
    try:
        return bool(await database.fetch("SELECT 1"))
    except DatabaseUnavailable:
        return False


async def on_replica(database: Database) -> bool:
    (row,) = await database.read(ASK)
    return bool(row["replica"])


async def test_json_comes_back_as_it_went(database: Database) -> None:
    value: object = {"a": [1, 1.5, None, True, "ü", r"\u0000", {}]}
    row = await database.fetch_one("SELECT $1::jsonb AS value", value)
    assert row is not None
    assert row["value"] == value
    assert await database.fetch_one("SELECT 1 WHERE false") is None


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    await database.fetch("CREATE TABLE kept (n int)")

    async def store_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO kept VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store_and_fail()
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO kept VALUES (2)")
    assert [row["n"] for row in await database.fetch("SELECT n FROM kept")] == [2]


@pytest.mark.parametrize(
    ("query", "argument", "error"),
    [
        ("SELECT $1::text", "a\x00b", InvalidRequest),
        ("SELECT $1::text", "\ud800", InvalidRequest),
        ("SELECT $1::bigint", 2**63, InvalidRequest),
        ("SELECT $1::int", 2**31, InvalidRequest),
        ("SELECT $1::uuid", "no uuid", InvalidRequest),
        ("SELECT $1::jsonb", {"a": "\x00"}, InvalidRequest),
        ("SELECT $1::text::timestamptz", "yesteryear", InvalidRequest),
        (
            "SELECT pg_terminate_backend(pg_backend_pid()), $1::int",
            1,
            DatabaseUnavailable,
        ),
        (
            "SELECT pg_sleep(60), set_config('a.b', $1::text, true)",
            "",
            DatabaseUnavailable,
        ),
        ("INSERT INTO things VALUES (1), ($1)", 1, asyncpg.UniqueViolationError),
        ("SELEKT $1", 1, asyncpg.PostgresSyntaxError),
        ("SELECT $1::int FROM nowhere", 1, asyncpg.UndefinedTableError),
    ],
)
async def test_each_error_gets_its_kind(
    cluster: Cluster,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    argument: object,
    error: type[Exception],
) -> None:
    monkeypatch.setattr(database_module, "COMMAND_TIMEOUT_S", 0.3)
    database = Database("test", PACKAGE, dsn_of(cluster.primary, name), None)
    await database.open()
    await database.fetch("CREATE TABLE IF NOT EXISTS things (n int PRIMARY KEY)")
    with pytest.raises(error):
        await database.fetch(query, argument)
    assert await answers(database)
    await database.close()


async def test_a_process_that_froze_keeps_no_lock(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_IDLE_IN_TRANSACTION_S", 0.05)
    database = Database("test", PACKAGE, dsn_of(cluster.primary, name), None)
    await database.open()
    await database.fetch("CREATE TABLE locked (n int)")

    freed = False

    async def lock_and_freeze() -> None:
        nonlocal freed
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE locked")
            async with asyncio.timeout(BOUND_S):
                await database.fetch("SELECT * FROM locked")
            freed = True
            await connection.execute("INSERT INTO locked VALUES (1)")

    with pytest.raises(DatabaseUnavailable):
        await lock_and_freeze()
    assert freed
    assert await database.fetch("SELECT * FROM locked") == []
    await database.close()


async def test_before_it_is_open_it_is_unavailable(cluster: Cluster, name: str) -> None:
    database = Database("test", PACKAGE, dsn_of(cluster.primary, name), None)
    assert await database.check() == "no connection yet"
    for call in (database.fetch, database.fetch_one, database.read):
        with pytest.raises(DatabaseUnavailable):
            await call("SELECT 1")
    await database.close()


@pytest.mark.parametrize("pool_size", [2, 5])
async def test_who_finds_no_free_connection_is_told_so(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch, pool_size: int
) -> None:
    monkeypatch.setattr(database_module, "ACQUIRE_TIMEOUT_S", 0.1)
    database = Database("test", PACKAGE, dsn_of(cluster.primary, name), None, pool_size)
    await database.open()
    release = asyncio.Event()
    held = asyncio.Semaphore(0)

    async def hold() -> None:
        async with database.connection():
            held.release()
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(pool_size):
            group.create_task(hold())
        for _ in range(pool_size):
            await held.acquire()
        with pytest.raises(DatabaseUnavailable, match="no answer in time") as caught:
            await database.fetch("SELECT 1")
        assert (caught.value.status, caught.value.retry_after_s) == (503, 1.0)
        release.set()
    assert await answers(database)
    await database.close()


async def test_reads_go_to_the_replica_and_writes_do_not(pair: Database) -> None:
    assert await on_replica(pair)
    (row,) = await pair.fetch(ASK)
    assert not row["replica"]
    with pytest.raises(asyncpg.UndefinedTableError):
        await pair.read("SELECT * FROM nowhere")
    assert await on_replica(pair)


async def test_what_a_replica_refuses_the_primary_answers(pair: Database) -> None:
    """A query called off for the sake of replay, or a write after a failover."""
    await pair.read("CREATE TABLE made ()")
    assert await pair.fetch("SELECT * FROM made") == []


async def test_what_a_replica_has_yet_to_hear_of_the_primary_answers(
    cluster: Cluster, pair: Database
) -> None:
    """As between a migration and its replay."""
    replica = await cluster.replica.connect()
    await replica.execute("SELECT pg_wal_replay_pause()")
    try:
        await pair.fetch("CREATE TABLE newer (n int)")
        await pair.fetch("INSERT INTO newer VALUES (7)")
        assert [row["n"] for row in await pair.read("SELECT n FROM newer")] == [7]
    finally:
        await replica.execute("SELECT pg_wal_replay_resume()")
        await replica.close()
    await until(lambda: on_replica(pair))
    assert [row["n"] for row in await pair.read("SELECT n FROM newer")] == [7]


async def test_a_killed_replica_is_replaced_by_the_primary(
    cluster: Cluster, pair: Database
) -> None:
    assert await on_replica(pair)
    await kill(cluster.replica)
    async with asyncio.timeout(BOUND_S):
        for _ in range(20):
            assert not await on_replica(pair)
    await cluster.replica.start()
    await until(lambda: on_replica(pair))


async def test_a_replica_may_come_later(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "REPLICA_PAUSE_S", 0.1)
    await cluster.replica.stop()
    late = Database(
        "test", PACKAGE, dsn_of(cluster.primary, name), dsn_of(cluster.replica, name)
    )
    await late.open()
    assert not await on_replica(late)
    await cluster.replica.start()
    await until(lambda: on_replica(late))
    await late.close()


async def test_a_replica_that_hangs_holds_nobody_up(
    cluster: Cluster, pair: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "REPLICA_TIMEOUT_S", 0.2)
    await asyncio.gather(*(on_replica(pair) for _ in range(5)))
    with stopped(cluster.replica):
        async with asyncio.timeout(BOUND_S):
            hung = await asyncio.gather(*(on_replica(pair) for _ in range(20)))
        assert hung == [False] * 20
        await asyncio.sleep(2 * database_module.REPLICA_PAUSE_S)
        with capture_logs() as lines:
            await asyncio.gather(*(on_replica(pair) for _ in range(20)))
        # One of them went to see whether it is back.
        assert [line["event"] for line in lines] == [
            "replica is out, reading from the primary"
        ]
    await until(lambda: on_replica(pair))


async def test_it_waits_for_a_late_primary_and_outlives_its_death(
    cluster: Cluster, name: str, pair: Database
) -> None:
    await kill(cluster.primary)
    late = Database("late", PACKAGE, dsn_of(cluster.primary, name), None)
    opening = asyncio.create_task(late.open())
    for _ in range(5):
        with pytest.raises(DatabaseUnavailable):
            await pair.fetch("SELECT 1")
        assert await on_replica(pair)
    assert await late.check() == "no connection yet"
    assert not opening.done()
    await cluster.primary.start()
    async with asyncio.timeout(RECOVERY_S):
        await opening
    assert await answers(late)
    await until(lambda: answers(pair))
    await late.close()


async def test_of_several_hosts_the_primary_is_found(
    cluster: Cluster, name: str
) -> None:
    """While there is none the callers are told so, and it is looked for."""
    dsn = make_dsn(
        SUPERUSER,
        cluster.primary.credentials.postgres,
        name,
        cluster.replica,
        cluster.primary,
    )
    database, late = (Database("test", PACKAGE, SecretStr(dsn), None) for _ in range(2))
    await database.open()
    assert not (await database.fetch(ASK))[0]["replica"]
    await cluster.primary.stop()
    for _ in range(5):
        with pytest.raises(DatabaseUnavailable):
            await database.fetch(ASK)
    opening = asyncio.create_task(late.open())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(opening), 0.3)
    await cluster.primary.start()
    async with asyncio.timeout(RECOVERY_S):
        await opening
    await until(lambda: answers(database))
    assert not (await late.fetch(ASK))[0]["replica"]
    for each in (database, late):
        await each.close()


async def test_a_primary_that_hangs_holds_no_probe_and_no_deadline(
    cluster: Cluster, database: Database
) -> None:
    async def work() -> None:
        async with database.transaction() as connection:
            working.set()
            await connection.fetch("SELECT pg_sleep(60)")

    working = asyncio.Event()
    background = Background()
    background.start("work", work)
    await working.wait()
    await database.fetch("SELECT 1")
    with stopped(cluster.primary):
        async with asyncio.timeout(BOUND_S):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), database.transaction() as connection:
                    await connection.fetch("SELECT 1")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await database.check()
            await background.close()
    await until(lambda: answers(database))


async def test_it_stays_ready_while_a_replica_answers(
    cluster: Cluster, name: str, pair: Database
) -> None:
    dsn = dsn_of(cluster.primary, name).get_secret_value()
    with stopped(cluster.primary), pytest.raises(TimeoutError):
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await pair.check()
    await asyncio.to_thread(apply_migrations, dsn, PACKAGE)
    assert await pair.check() is None
    await cluster.caught_up(name)
    for _ in range(3):
        with stopped(cluster.primary):
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                assert await pair.check() is None
            assert await on_replica(pair)
    with (
        stopped(cluster.primary),
        stopped(cluster.replica),
        pytest.raises((TimeoutError, DatabaseUnavailable)),
    ):
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await pair.check()
    await until(lambda: answers(pair))


async def test_a_query_given_up_leaves_no_answer_to_the_next(
    database: Database,
) -> None:
    async def ask(number: int) -> None:
        async with asyncio.timeout(0.01):
            await database.fetch("SELECT $1::int, pg_sleep(0.02)", number)

    for number in range(5):
        with pytest.raises(TimeoutError):
            await ask(number)
    rows = await asyncio.gather(
        *(database.fetch_one("SELECT $1::int AS n", n) for n in range(50))
    )
    assert [row and row["n"] for row in rows] == list(range(50))
