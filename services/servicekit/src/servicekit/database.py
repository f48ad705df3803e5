"""PostgreSQL: a pool to the primary, a pool to the replicas, errors of one kind."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from importlib import resources
from typing import Any

import asyncpg
import orjson
import structlog
from pydantic import SecretStr

from servicekit.errors import DatabaseUnavailable, InvalidRequest
from servicekit.metrics import CONNECTION_WAIT_SECONDS, REPLICA_FAILURES
from servicekit.migrations import pending

__all__ = ["Database", "load_queries"]

# One waits for the first caller; each further one costs the server memory.
POOL_MIN_SIZE = 1
# Small: a query takes a millisecond, and all pools together stay below max_connections.
POOL_SIZE = 10
# A connection is renewed before its caches and plans grow old.
MAX_QUERIES_PER_CONNECTION = 50_000
MAX_IDLE_S = 300.0
CONNECT_TIMEOUT_S = 5.0
# No hot query takes longer; what does is cut off and answered with 503.
COMMAND_TIMEOUT_S = 10.0
# A process that froze in the middle of a transaction keeps its locks no longer.
MAX_IDLE_IN_TRANSACTION_S = 3.0
# Waiting longer for a free connection only makes a queue.
ACQUIRE_TIMEOUT_S = 5.0
# A replica that takes longer is out; the primary still answers in the caller's time.
REPLICA_TIMEOUT_S = 2.0
# A replica that failed is left alone for this long; the primary answers meanwhile.
REPLICA_PAUSE_S = 2.0
# A query given up is called off in this time, or its connection is thrown away.
GIVE_UP_S = 0.15
# A readiness probe that gets no answer from the primary has time for a replica.
PRIMARY_CHECK_S = 0.3
FIRST_CONNECT_PAUSE_S = 0.05
# What a server that is not there, or not the primary, makes of a connection.
AWAY = (
    asyncpg.PostgresError,
    asyncpg.TargetServerAttributeNotMatched,
    OSError,
)

Queries = Mapping[str, str]
log = structlog.get_logger()


def load_queries(package: str) -> Queries:
    """The `sql/*.sql` files of a package of stores, by their names."""
    folder = resources.files(package) / "sql"
    return {
        file.name.removesuffix(".sql"): file.read_text()
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


async def _prepare(connection: asyncpg.Connection) -> None:
    idle_ms = int(MAX_IDLE_IN_TRANSACTION_S * 1000)
    await connection.execute(f"SET idle_in_transaction_session_timeout = {idle_ms}")
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(raw[1:]),
        format="binary",
    )


async def _keep_session(_: asyncpg.Connection) -> None:
    """Nothing here changes a session, so no round trip is spent on resetting it."""


async def _open_pool(name: str, dsn: str, size: int) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        dsn,
        min_size=POOL_MIN_SIZE,
        max_size=size,
        max_queries=MAX_QUERIES_PER_CONNECTION,
        max_inactive_connection_lifetime=MAX_IDLE_S,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": name},
        init=_prepare,
        reset=_keep_session,
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.DataError as error:
        raise InvalidRequest(str(error)) from error
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.SyntaxOrAccessError):
        raise
    except TimeoutError as error:
        raise DatabaseUnavailable("no answer in time") from error
    except (*AWAY, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise DatabaseUnavailable(type(error).__name__) from error


class _Borrowed:
    """A connection of a pool for as long as a block lasts; errors are translated.

    A class, and so everything in one: each generator around a query costs 3 µs.
    """

    __slots__ = ("_connection", "_pool", "_server")

    def __init__(self, pool: asyncpg.Pool, server: str) -> None:
        self._pool = pool
        self._server = server

    async def __aenter__(self) -> asyncpg.Connection:
        with _translated(), CONNECTION_WAIT_SECONDS.labels(self._server).time():
            self._connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        return self._connection

    async def __aexit__(
        self, _: object, error: BaseException | None, __: object
    ) -> None:
        if error is None:
            with _translated():
                await self._pool.release(self._connection, timeout=ACQUIRE_TIMEOUT_S)
            return
        # What went wrong counts, not that the connection went with it.
        with suppress(Exception):
            await self._pool.release(self._connection, timeout=GIVE_UP_S)
        with _translated():
            raise error


@asynccontextmanager
async def _begun(connection: asyncpg.Connection) -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        with suppress(Exception):
            async with asyncio.timeout(GIVE_UP_S):
                await transaction.rollback()
        raise
    await transaction.commit()


class Database:
    """Writes go to the primary, reads that allow it to a replica.

    Each of the two has its own pool of at most `pool_size` connections.
    """

    def __init__(
        self,
        name: str,
        package: str,
        primary: SecretStr,
        replica: SecretStr | None,
        pool_size: int = POOL_SIZE,
    ) -> None:
        self._name = name
        self._package = package
        self._primary_dsn = primary.get_secret_value()
        self._replica_dsn = replica.get_secret_value() if replica else None
        self._pool_size = pool_size
        self._primary: asyncpg.Pool | None = None
        self._replica: asyncpg.Pool | None = None
        self._replica_retry_s: float | None = None
        self._was_well = False

    async def open(self) -> None:
        """Connects, and waits as long as it takes; `check` says what is missing."""
        pause_s = FIRST_CONNECT_PAUSE_S
        while self._primary is None:
            try:
                self._primary = await _open_pool(
                    self._name, self._primary_dsn, self._pool_size
                )
            except AWAY as error:
                log.warning("database is not there yet", error=repr(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 1.0)

    async def close(self) -> None:
        """Closes both pools."""
        for pool in (self._primary, self._replica):
            if pool is not None:
                pool.terminate()

    async def check(self) -> str | None:
        """For readiness: the newest migration is applied, and a server answers.

        That is the primary; once all was well a replica will do, for reads go on
        while the primary is away.
        """
        if self._primary is None:
            return "no connection yet"
        spare = self._was_well and self.has_replica
        try:
            async with asyncio.timeout(PRIMARY_CHECK_S if spare else None):
                missing = await self._missing()
        except (DatabaseUnavailable, TimeoutError):
            if not spare:
                raise
            await self.read_replica("SELECT")
            return None
        self._was_well = not missing
        return f"migrations missing: {', '.join(missing)}" if missing else None

    async def _missing(self) -> list[str]:
        async with self.connection() as connection:
            return await pending(connection, self._package)

    @property
    def has_replica(self) -> bool:
        """Whether `read` may be answered by another server than the primary."""
        return self._replica_dsn is not None

    def connection(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection to the primary."""
        if self._primary is None:
            raise DatabaseUnavailable("no connection yet")
        return _Borrowed(self._primary, "primary")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction on the primary."""
        async with self.connection() as connection, _begun(connection):
            yield connection

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Rows from the primary."""
        async with self.connection() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *args)
            return rows

    async def fetch_one(self, query: str, *args: Any) -> asyncpg.Record | None:
        """One row from the primary, or None."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def read(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Rows from a replica where one answers, else from the primary."""
        if not self._ask_replica():
            return await self.fetch(query, *args)
        try:
            return await self._read_replica(query, *args)
        except DatabaseUnavailable:
            return await self.fetch(query, *args)
        except asyncpg.SyntaxOrAccessError as error:
            # A table that only the primary knows came by a migration that the replica
            # has yet to replay; one that neither knows is a defect of ours.
            rows = await self.fetch(query, *args)
            self._leave_replica(error)
            return rows

    async def read_replica(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Rows from a replica; raises DatabaseUnavailable where none answers."""
        if not self._ask_replica():
            raise DatabaseUnavailable("no replica, or it is left alone for now")
        return await self._read_replica(query, *args)

    async def _read_replica(self, query: str, *args: Any) -> list[asyncpg.Record]:
        try:
            with _translated():
                async with asyncio.timeout(REPLICA_TIMEOUT_S):
                    pool = self._replica or await self._open_replica()
                    async with _Borrowed(pool, "replica") as connection:
                        rows: list[asyncpg.Record] = await connection.fetch(
                            query, *args
                        )
        except DatabaseUnavailable as error:
            self._leave_replica(error)
            raise
        self._replica_retry_s = None
        return rows

    def _leave_replica(self, error: Exception) -> None:
        REPLICA_FAILURES.inc()
        self._replica_retry_s = time.monotonic() + REPLICA_PAUSE_S
        log.warning("replica is out, reading from the primary", error=str(error))

    def _ask_replica(self) -> bool:
        if self._replica_dsn is None or self._replica_retry_s is None:
            return self._replica_dsn is not None
        now_s = time.monotonic()
        if now_s < self._replica_retry_s:
            return False
        # One read finds out whether it is back; the others do not wait with it.
        self._replica_retry_s = now_s + REPLICA_PAUSE_S
        return True

    async def _open_replica(self) -> asyncpg.Pool:
        assert self._replica_dsn is not None
        pool = await _open_pool(
            f"{self._name}-read", self._replica_dsn, self._pool_size
        )
        if self._replica is None:
            self._replica = pool
        elif pool is not self._replica:
            pool.terminate()
        return self._replica
