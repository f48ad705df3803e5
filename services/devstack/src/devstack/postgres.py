"""PostgreSQL on unix sockets: a primary and streaming replicas of it.

    async with Postgres.primary(folder) as primary:
        async with Postgres.replica(folder, of=primary) as replica:
            connection = await asyncpg.connect(primary.dsn())

The files stay in `folder`; the next start goes on with them.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import asyncpg

from bootstrap.database import say
from devstack import sql
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.leftovers import stop_leftover
from devstack.logs import RotatingLog
from devstack.processes import Command, Process, run_to_end
from devstack.store import Store

PRIMARY_PORT = 5432
REPLICA_PORT = 5433
SUPERUSER = "postgres"
REPLICATOR = "replicator"
STANDBY_MARK = "standby.signal"
READY_TIMEOUT_S = 30.0
READY_POLL_S = 0.01
CONNECT_TIMEOUT_S = 5.0
# What a server that is away, or goes away in the middle, makes of a call.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# SIGINT cuts clients off and writes a checkpoint; after SIGQUIT the next start replays.
FAST_STOP_S = 1.5
IMMEDIATE_STOP_S = 0.2

# One call for a thousand files, where the system has it.
SYNC_METHOD = "syncfs" if sys.platform == "linux" else "fsync"

# Small on purpose: a laptop's stack, beside three services and a browser.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    # Worker processes for I/O cost more memory than they save time here.
    "io_method": "sync",
    # Three services with two pools of at most ten each stay below on either server.
    "max_connections": "60",
    "fsync": "on",
    "recovery_init_sync_method": SYNC_METHOD,
    "synchronous_commit": "on",
    "wal_level": "replica",
    "hot_standby": "on",
    "max_wal_senders": "6",
    "max_replication_slots": "6",
    "max_wal_size": "256MB",
    "min_wal_size": "64MB",
    # A replica that is away for longer than this much WAL is made anew.
    "max_slot_wal_keep_size": "256MB",
    # The replica is back soon after its primary.
    "wal_retrieve_retry_interval": "200ms",
    # In the data folder: a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def make_dsn(role: str, password: str, database: str, *servers: "Postgres") -> str:
    """A DSN for asyncpg; with several servers it finds the one that is primary."""
    query = {
        "host": ",".join(str(server.store.run) for server in servers),
        "port": ",".join(str(server.port) for server in servers),
    }
    if len(servers) > 1:
        query["target_session_attrs"] = "primary"
    safe = urlencode(query, safe="/,")
    return f"postgresql://{quote(role)}:{quote(password)}@/{quote(database)}?{safe}"


class Postgres(ABC):
    """One server; make it by `Postgres.primary` or `Postgres.replica`."""

    def __init__(
        self, name: str, port: int, store: Store, credentials: Credentials
    ) -> None:
        self.name = name
        self.title = f"PostgreSQL {name}"
        self.port = port
        self.store = store
        self.credentials = credentials
        self.data = store.place / name
        self.process: Process | None = None
        self._log = RotatingLog(store.logs / f"{name}.log")

    @staticmethod
    def primary(folder: Path) -> "Primary":
        """The primary whose files are in `folder`."""
        return Primary.of(Store.prepare(folder), Credentials.load(folder))

    @staticmethod
    def replica(
        folder: Path, *, of: "Primary", name: str = "replica", port: int = REPLICA_PORT
    ) -> "Replica":
        """A streaming replica; several in one folder need names and ports."""
        store = of.store if folder == of.store.folder else Store.prepare(folder)
        return Replica(name, port, store, of)

    @property
    def pid(self) -> int:
        """The postmaster's; raises StackError where it was not started."""
        if self.process is None:
            raise StackError(f"{self.title} is not running")
        return self.process.pid

    def dsn(self, database: str = "postgres") -> str:
        """The superuser's DSN."""
        return make_dsn(SUPERUSER, self.credentials.postgres, database, self)

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """A connection of the superuser."""
        return await asyncpg.connect(self.dsn(database), timeout=CONNECT_TIMEOUT_S)

    @abstractmethod
    async def prepare(self) -> None:
        """Makes the files where they are missing."""

    async def start(self) -> None:
        """Starts and returns when it answers queries; raises StackError."""
        await stop_leftover(self.data)
        # Of a dead server, then; its number may belong to a stranger by now.
        (self.store.run / f".s.PGSQL.{self.port}.lock").unlink(missing_ok=True)
        await self.prepare()
        command = self._command("postgres", "-D", self.data, *self._options())
        self.process = await Process.spawn(self.name, command, self._log)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._until_ready(self.process)
        except TimeoutError:
            await self.stop()
            raise self._failure("does not answer") from None

    async def stop(self, fast_stop_s: float = FAST_STOP_S) -> None:
        """Stops in order, and at last by force."""
        if self.process is not None:
            await self.process.stop(
                (signal.SIGINT, fast_stop_s), (signal.SIGQUIT, IMMEDIATE_STOP_S)
            )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def _half(self) -> Path:
        """What is being made gets its real name when it is whole."""
        return self.data.with_name(f"{self.name}.new")

    def _options(self) -> list[str]:
        settings = SETTINGS | {
            "port": str(self.port),
            "unix_socket_directories": str(self.store.run),
            "cluster_name": self.name,
        }
        return [f"--{key}={value}" for key, value in settings.items()]

    def _command(self, program: str, *arguments: str | Path) -> Command:
        return Command(
            arguments=(self.store.programs.postgres / program, *arguments),
            environment=self._environment(),
            folder=self.store.place,
            account=self.store.account,
            # What lets all of PostgreSQL's processes end; the next start recovers.
            death_signal=signal.SIGQUIT if program == "postgres" else signal.SIGKILL,
        )

    def _environment(self) -> dict[str, str]:
        # The person's own environment (PGHOST, keys) is none of its business.
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    async def _run(self, program: str, *arguments: str | Path) -> None:
        command = self._command(program, *arguments)
        await run_to_end(program, command, self._log)

    async def _until_ready(self, process: Process) -> None:
        while True:
            if not process.alive:
                await process.wait()
                raise self._failure(f"ended at start ({process.describe_end()})")
            try:
                connection = await self._connect_when_ready(process.pid)
            except asyncpg.InvalidAuthorizationSpecificationError as error:
                raise self._failure(f"and secrets.json do not fit: {error}") from error
            except (*AWAY, IndexError):
                await asyncio.sleep(READY_POLL_S)
            else:
                connection.terminate()
                return

    async def _connect_when_ready(self, pid: int) -> asyncpg.Connection:
        # Asking earlier would only fill the log with refusals.
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        if lines[0] != str(pid) or lines[-1].strip() != "ready":
            raise ConnectionRefusedError
        return await self.connect()

    def _failure(self, what: str) -> StackError:
        lines = self._log.tail()
        return StackError("\n  ".join([f"{self.title} {what}", *lines]))


class Primary(Postgres):
    """Takes the writes."""

    @classmethod
    def of(cls, store: Store, credentials: Credentials) -> "Primary":
        """The primary of a store."""
        return cls("primary", PRIMARY_PORT, store, credentials)

    async def prepare(self) -> None:
        half = self._half
        shutil.rmtree(half, ignore_errors=True)
        if self.data.exists():
            return
        with self._password_file() as password_file:
            await self._run(
                "initdb",
                *("--pgdata", half),
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
                f"--sync-method={SYNC_METHOD}",
            )
        half.rename(self.data)

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[Path]:
        file = self.store.place / "password.new"
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(self.credentials.postgres)
            self.store.adopt(file)
            yield file
        finally:
            file.unlink()


class Replica(Postgres):
    """Follows its primary; answers reads."""

    def __init__(self, name: str, port: int, store: Store, primary: Primary) -> None:
        super().__init__(name, port, store, primary.credentials)
        self._primary = primary

    async def prepare(self) -> None:
        half = self._half
        shutil.rmtree(half, ignore_errors=True)
        if self.data.exists():
            return
        await self._open_slot()
        await self._run(
            "pg_basebackup",
            *("--pgdata", half),
            f"--host={self._primary.store.run}",
            f"--port={self._primary.port}",
            f"--username={REPLICATOR}",
            f"--slot={self.name}",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-password",
            # Its first start syncs everything.
            "--no-sync",
        )
        mark = half / STANDBY_MARK
        mark.touch(0o600)
        self.store.adopt(mark)
        half.rename(self.data)

    async def start(self) -> None:
        """Starts; where its files do not serve any more, the primary is copied anew."""
        copied = self.data.exists()
        try:
            await super().start()
        except StackError:
            if not copied:
                raise
            await self.discard()
            await super().start()

    async def discard(self) -> None:
        """Stops it and throws its files away: the next start copies the primary."""
        shutil.rmtree(self._half, ignore_errors=True)
        # First out of the way: whoever waits for the end may start it at once.
        if self.data.exists():
            self.data.rename(self._half)
        await self.stop()

    async def promote(self) -> None:
        """Makes it a primary; it follows no more."""
        connection = await self.connect()
        try:
            await connection.execute("SELECT pg_promote(wait => true)")
        finally:
            await connection.close()

    def _options(self) -> list[str]:
        # libpq takes the password from the environment: it stays off the command line.
        conninfo = (
            f"host={self._primary.store.run} port={self._primary.port} "
            f"user={REPLICATOR} application_name={self.name}"
        )
        return [
            *super()._options(),
            f"--primary_conninfo={conninfo}",
            f"--primary_slot_name={self.name}",
        ]

    def _environment(self) -> dict[str, str]:
        password = self._primary.credentials.replicator
        return super()._environment() | {"PGPASSWORD": password}

    async def _open_slot(self) -> None:
        try:
            connection = await self._primary.connect()
            try:
                await self._make_role(connection)
                for step in ("end_sender", "drop_slot", "create_slot"):
                    await connection.execute(sql.load(step), self.name)
            finally:
                connection.terminate()
        except AWAY as error:
            raise StackError(f"{self.title}: the primary is away: {error}") from error

    async def _make_role(self, connection: asyncpg.Connection) -> None:
        password = self._primary.credentials.replicator
        with contextlib.suppress(asyncpg.DuplicateObjectError):
            await say(connection, "create_role", REPLICATOR, password, "REPLICATION")
