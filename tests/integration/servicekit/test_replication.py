"""The replica's lag: 0 where it shows all, and no false calm where it is cut off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from tests.integration.servicekit.servers import Cluster, until

from devstack.postgres import Postgres
from servicekit.database import Database
from servicekit.errors import DatabaseUnavailable
from servicekit.replication import replica_lag_seconds

END_SENDER = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"


@asynccontextmanager
async def connected(server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await server.connect()
    yield connection
    await connection.close()


async def shows_all(database: Database) -> bool:
    return await replica_lag_seconds(database) == 0


async def lags(database: Database) -> bool:
    lag_seconds = await replica_lag_seconds(database)
    return lag_seconds is not None and lag_seconds > 0.3


async def test_a_replica_that_shows_all_does_not_lag(pair: Database) -> None:
    await pair.fetch("CREATE TABLE shown (n int)")
    await until(lambda: shows_all(pair))


async def test_a_replica_that_stands_still_lags_more_and_more(
    cluster: Cluster, pair: Database
) -> None:
    async with connected(cluster.replica) as replica:
        await pair.fetch("CREATE TABLE before (n int)")
        await until(lambda: shows_all(pair))
        await replica.execute("SELECT pg_wal_replay_pause()")
        try:
            await pair.fetch("CREATE TABLE after (n int)")
            await until(lambda: lags(pair))
            first = await replica_lag_seconds(pair)
            second = await replica_lag_seconds(pair)
            assert first is not None
            assert second is not None
            assert first < second
        finally:
            await replica.execute("SELECT pg_wal_replay_resume()")
        await until(lambda: shows_all(pair))


async def test_a_replica_that_is_cut_off_lags(cluster: Cluster, pair: Database) -> None:
    """It has replayed all it got, which is not all there is."""
    slot = cluster.replica.name
    async with connected(cluster.primary) as primary:
        await until(lambda: shows_all(pair))

        async def is_cut_off() -> bool:
            await primary.execute(END_SENDER)
            try:
                await primary.execute("SELECT pg_drop_replication_slot($1)", slot)
            except asyncpg.ObjectInUseError:
                return False
            return True

        await until(is_cut_off)
        try:
            await pair.fetch("CREATE TABLE unheard (n int)")
            await until(lambda: lags(pair))
        finally:
            await primary.execute(
                "SELECT pg_create_physical_replication_slot($1, true)", slot
            )
        await until(lambda: shows_all(pair))


async def test_without_a_replica_there_is_nothing_to_know(database: Database) -> None:
    assert await replica_lag_seconds(database) is None
    with pytest.raises(DatabaseUnavailable):
        await database.read_replica("SELECT 1")


async def test_of_a_replica_that_is_away_nothing_is_known(
    cluster: Cluster, pair: Database
) -> None:
    await until(lambda: shows_all(pair))
    await cluster.replica.stop()
    assert await replica_lag_seconds(pair) is None
    await cluster.replica.start()
    await until(lambda: shows_all(pair))


async def test_without_a_primary_it_is_said(cluster: Cluster, pair: Database) -> None:
    await cluster.primary.stop()
    with pytest.raises(DatabaseUnavailable):
        await replica_lag_seconds(pair)
    await cluster.primary.start()
    await until(lambda: shows_all(pair))
