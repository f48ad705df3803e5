"""The three services: how each is started and what it is told."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.fetch import get
from devstack.logs import RotatingLog
from devstack.migrations import migrate
from devstack.processes import Command, Process
from devstack.settings import Settings

HOST = "127.0.0.1"
# The first start of a service may build what it keeps (an index, a cache).
READY_TIMEOUT_S = 120.0
READY_POLL_S = 0.05
READY = b"ready"
# A probe that hangs is asked again.
PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Service:
    """What the runner knows of a service."""

    name: str
    package: str
    role: str
    port_offset: int
    prefixes: tuple[bytes, ...]
    command: tuple[str | Path, ...]


def _script(name: str) -> tuple[Path]:
    return (Path(sys.executable).parent / name,)


# In the order of their start; they stop in the reverse.
SERVICES = (
    Service(
        name="safety-validator",
        package="safety_validator",
        role="safety",
        port_offset=3,
        prefixes=(b"/api/safety", b"/v1/moderations"),
        command=_script("safety-validator"),
    ),
    Service(
        name="memory-service",
        package="memory_service",
        role="memory",
        port_offset=2,
        prefixes=(b"/api/memory", b"/mcp"),
        command=_script("memory-service"),
    ),
    Service(
        name="thought-generator",
        package="thought_generator",
        role="thinking",
        port_offset=1,
        prefixes=(b"/api/thought", b"/"),
        command=_script("thought-generator"),
    ),
)


@dataclass(frozen=True)
class Dsns:
    """How each role reaches the database; None where there is no such way."""

    primary: Mapping[str, str]
    replica: Mapping[str, str] | None
    direct: Mapping[str, str] | None


def make_environment(
    service: Service,
    settings: Settings,
    credentials: Credentials,
    dsns: Dsns,
    redis_url: str,
) -> dict[str, str]:
    """The person's own environment, and what this service is told besides."""
    ports = {other.name: settings.port + other.port_offset for other in SERVICES}
    told = {
        "HOST": HOST,
        "PORT": str(settings.port + service.port_offset),
        "DATABASE_URL": dsns.primary[service.role],
        "DATABASE_REPLICA_URL": dsns.replica[service.role] if dsns.replica else "",
        "DATABASE_DIRECT_URL": dsns.direct[service.role] if dsns.direct else "",
        "REDIS_URL": redis_url,
        "SERVICE_KEY": find_service_key(settings, credentials),
        "MEMORY_URL": f"http://{HOST}:{ports['memory-service']}",
        "SAFETY_URL": f"http://{HOST}:{ports['safety-validator']}",
        "INDEX_DIR": str(settings.data_dir / "index" / service.name),
        # What a service says right before it dies must reach its log.
        "PYTHONUNBUFFERED": "1",
        # Threads share two arenas and give memory back: a tenth less of it is private.
        "MALLOC_ARENA_MAX": "2",
        # Less, and each call would take its larger buffers from the kernel and give
        # them back: a tenth of the time of a recall.
        "MALLOC_TRIM_THRESHOLD_": "2097152",
        "MALLOC_MMAP_THRESHOLD_": "2097152",
    }
    return {**settings.environment, **told}


def find_service_key(settings: Settings, credentials: Credentials) -> str:
    """The key by which the services and the runner know each other."""
    return settings.environment.get("SERVICE_KEY") or credentials.service_key


class ServiceServer:
    """A service as a child process."""

    def __init__(
        self,
        service: Service,
        environment: Mapping[str, str],
        logs: Path,
        on_log_line: Callable[[bytes], None],
    ) -> None:
        self.title = service.name
        self.process: Process | None = None
        self._port = int(environment["PORT"])
        # Where the person stands: paths in the environment may be relative.
        self._command = Command(service.command, environment, Path.cwd())
        self._migration = replace(
            self._command, arguments=(*service.command, "migrate")
        )
        self._package = service.package
        self._log = RotatingLog(logs / f"{service.name}.log", on_log_line)

    async def migrate(self) -> int:
        """Brings its schema up to date; returns how many migrations were applied."""
        return await migrate(self._package, self._migration, self._log)

    async def start(self) -> None:
        """Starts and returns when it is ready; raises StackError where it ends."""
        process = await Process.spawn(self.title, self._command, self._log)
        self.process = process
        ready = asyncio.ensure_future(self._until_ready())
        ended = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise self._failure(f"ended at start ({process.describe_end()})")
            ready.result()
        except StackError:
            # One that hangs would keep its port from the next.
            await process.stop()
            raise
        finally:
            ready.cancel()
            ended.cancel()

    async def stop(self, grace_s: float) -> None:
        """Lets it finish what is under way within that time."""
        if self.process is not None:
            await self.process.stop((signal.SIGTERM, grace_s))

    async def _until_ready(self) -> None:
        lack = b"it never listened"
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while True:
                    lack = await self._probe() or lack
                    if lack == READY:
                        return
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError:
            raise self._failure(
                f"is not ready after {READY_TIMEOUT_S:.0f} s: {lack.decode()}"
            ) from None

    async def _probe(self) -> bytes | None:
        """READY, or what /readyz says, or None where nothing listens."""
        try:
            async with (
                asyncio.timeout(PROBE_TIMEOUT_S),
                get(self._port, "/readyz") as answer,
            ):
                return READY if answer.status == 200 else await answer.read()
        except (OSError, EOFError, TimeoutError):
            return None

    def _failure(self, what: str) -> StackError:
        lines = self.process.tail() if self.process is not None else []
        return StackError("\n  ".join([f"{self.title} {what}", *lines]))
