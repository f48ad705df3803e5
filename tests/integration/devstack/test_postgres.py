"""The PostgreSQL and Valkey launchers alone, as tests and benchmarks use them."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from devstack import replication, sql, store
from devstack.errors import StackError
from devstack.postgres import (
    AWAY,
    REPLICA_PORT,
    SUPERUSER,
    Postgres,
    Primary,
    Replica,
    make_dsn,
)
from devstack.programs import Programs
from devstack.replication import ReplicationWatch
from devstack.screen import Screen
from devstack.supervisor import Supervisor
from devstack.valkey import Valkey

WAIT_S = 20.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await condition():
            await asyncio.sleep(0.02)


async def count_rows(server: Postgres) -> int:
    connection = await server.connect()
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    except asyncpg.UndefinedTableError:
        return 0
    finally:
        await connection.close()


async def keep_row(primary: Primary) -> None:
    connection = await primary.connect()
    await connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
    await connection.execute("INSERT INTO kept DEFAULT VALUES")
    await connection.close()


async def test_the_primary_keeps_its_data_and_its_settings(folder: Path) -> None:
    for start in (1, 2):
        async with Postgres.primary(folder) as primary:
            await keep_row(primary)
            assert await count_rows(primary) == start
            connection = await primary.connect()
            settings = [
                await connection.fetchval(f"SHOW {name}")
                for name in (
                    "fsync",
                    "jit",
                    "timezone",
                    "listen_addresses",
                    "io_method",
                )
            ]
            await connection.close()
    assert settings == ["on", "off", "UTC", "", "sync"]
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600


async def test_a_replica_streams_and_can_be_promoted(folder: Path) -> None:
    async with Postgres.primary(folder) as primary:
        await keep_row(primary)
        async with Postgres.replica(folder, of=primary) as replica:
            await keep_row(primary)

            async def caught_up() -> bool:
                return await count_rows(replica) == 2

            await until(caught_up)
            connection = await replica.connect()
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute("DELETE FROM kept")
            await connection.close()
            both = make_dsn(
                SUPERUSER, primary.credentials.postgres, "postgres", replica, primary
            )
            assert await ask_port(both) == primary.port
            await primary.stop()
            await replica.promote()
            assert await ask_port(both) == replica.port


async def ask_port(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SHOW port"))
    finally:
        await connection.close()


async def test_half_made_folders_are_made_anew(folder: Path) -> None:
    async with Postgres.primary(folder):
        pass
    place = folder / "postgres"
    (place / "primary").rename(place / "primary.new")
    (place / "replica.new").mkdir()
    (place / "primary.new" / "PG_VERSION").unlink()
    async with (
        Postgres.primary(folder) as primary,
        Postgres.replica(folder, of=primary) as replica,
    ):
        await keep_row(primary)
        assert replica.pid != primary.pid
    # A copy of the programs lies there where the wheels cannot be read.
    names = {path.name for path in place.iterdir()}
    assert {name for name in names if not name.startswith("programs-")} == {
        "primary",
        "replica",
        "run",
    }


async def test_a_living_postmaster_of_this_folder_is_stopped_first(
    folder: Path,
) -> None:
    left = Postgres.primary(folder)
    await left.start()
    await keep_row(left)
    async with Postgres.primary(folder) as primary:
        assert await count_rows(primary) == 1
        assert left.process is not None
        assert not left.process.alive


async def test_a_stale_pid_file_of_a_stranger_is_no_obstacle(folder: Path) -> None:
    async with Postgres.primary(folder) as primary:
        await keep_row(primary)
    data = folder / "postgres" / "primary"
    owner = data.stat()
    stranger = subprocess.Popen(
        ["/bin/sleep", "60"],
        user=owner.st_uid if os.geteuid() == 0 else None,
    )
    with stranger:
        stale = data / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{data}\n0\n5432\n{folder}\n\n 1 1\n")
        lock = folder / "postgres" / "run" / ".s.PGSQL.5432.lock"
        lock.write_text(f"{stranger.pid}\n{data}\n0\n5432\n{folder}\n")
        for file in (stale, lock):
            os.chown(file, owner.st_uid, owner.st_gid)
        async with Postgres.primary(folder) as primary:
            assert await count_rows(primary) == 1
        assert stranger.poll() is None
        stranger.kill()


async def test_a_deep_folder_gets_its_sockets_elsewhere(folder: Path) -> None:
    deep = folder / "a folder, so deep" / ("d" * 100)
    async with Postgres.primary(deep) as primary, Valkey.of(deep) as valkey:
        await keep_row(primary)
        assert primary.store.run.parent != primary.store.place
        assert len(f"{primary.store.run}/.s.PGSQL.5432") < 104
        assert await ping(valkey) == b"+PONG\r\n"
    primary.store.run.rmdir()


async def ping(valkey: Valkey) -> bytes:
    path = valkey.url.removeprefix("unix://")
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(b"PING\r\n")
        return await reader.readline()
    finally:
        writer.close()


async def test_valkey_takes_the_place_of_a_dead_socket(folder: Path) -> None:
    first = Valkey.of(folder)
    path = Path(first.url.removeprefix("unix://"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    async with first as valkey:
        assert await ping(valkey) == b"+PONG\r\n"
        assert valkey.pid > 0
    assert not path.exists()


async def test_lost_secrets_are_said_at_once(folder: Path) -> None:
    async with Postgres.primary(folder):
        pass
    (folder / "secrets.json").unlink()
    primary = Postgres.primary(folder)
    with pytest.raises(StackError, match=r"secrets\.json do not fit"):
        await primary.start()
    await primary.stop()


async def test_a_replica_whose_wal_is_gone_is_copied_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "INTERVAL_S", 0.05)
    monkeypatch.setattr(replication, "STALLED_S", 0.5)
    async with Postgres.primary(folder) as primary:
        replica = Replica("replica", REPLICA_PORT, primary.store, primary)
        async with replica:
            await keep_row(primary)
        await lose_wal(primary)
        await replica.start()
        supervisor = Supervisor(Screen())
        watching = [
            asyncio.create_task(supervisor.watch(replica)),
            asyncio.create_task(ReplicationWatch(replica, primary, Screen()).watch()),
        ]

        async def follows() -> bool:
            try:
                return await count_rows(replica) == 2
            except AWAY:
                return False

        await until(follows)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await replica.stop()


async def lose_wal(primary: Primary) -> None:
    """What the replica would go on from is recycled."""
    connection = await primary.connect()
    for step in ("end_sender", "drop_slot"):
        await connection.execute(sql.load(step), "replica")
    for _ in range(3):
        await connection.execute("INSERT INTO kept SELECT FROM generate_series(1, 9)")
        await connection.execute("SELECT pg_switch_wal()")
    await connection.execute("CHECKPOINT")
    await connection.execute("TRUNCATE kept")
    await connection.execute("INSERT INTO kept DEFAULT VALUES")
    await connection.execute("INSERT INTO kept DEFAULT VALUES")
    await connection.close()


async def test_a_replica_of_another_primary_is_copied_anew_at_start(
    folder: Path,
) -> None:
    async with Postgres.primary(folder) as primary:
        async with Postgres.replica(folder, of=primary) as replica:
            pass
        (replica.data / "global" / "pg_control").unlink()
        await keep_row(primary)
        async with Postgres.replica(folder, of=primary) as replica:
            assert await count_rows(replica) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")
async def test_root_below_a_closed_folder_keeps_the_files_outside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "OUTSIDE", folder / "outside")
    home = folder / "home"
    home.mkdir(0o700)
    data = home / "data"
    async with Postgres.primary(data) as primary:
        await keep_row(primary)
        assert primary.store.place.parent == folder / "outside"
        assert (data / "postgres").resolve() == primary.store.place
        assert any(str(primary.store.place) in line for line in primary.store.notices)
    moved = home / "moved"
    data.rename(moved)
    async with Postgres.primary(moved) as primary:
        assert await count_rows(primary) == 1

    # A removed data folder is forgotten: the next one starts empty.
    moved.joinpath("postgres").unlink()
    moved.joinpath("secrets.json").unlink()
    moved.rename(data)
    async with Postgres.primary(data) as primary:
        assert await count_rows(primary) == 0
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")
async def test_root_copies_programs_that_the_servers_cannot_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Programs, "readable_for", lambda *_: False)
    for _ in range(2):
        async with Postgres.primary(folder) as primary, Valkey.of(folder):
            programs = primary.store.programs
            assert programs.postgres.is_relative_to(folder)
            assert Path(f"/proc/{primary.pid}/exe").resolve().is_relative_to(folder)


async def test_a_replica_beside_a_dead_primary_says_so(folder: Path) -> None:
    async with Postgres.primary(folder) as primary:
        replica = Postgres.replica(folder, of=primary)
    with pytest.raises(StackError, match="the primary is away"):
        await replica.start()
