"""Data folders that PostgreSQL's account can reach, and runners over stand-ins."""

import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

RUNNER = Path(__file__).parent / "standin" / "runner.py"
MEMORY = Path("/dev/shm")
ROOM_BYTES = 2**30
LINE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


def _choose_parent() -> str:
    # In memory where there is room: these tests end processes, never the machine.
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        return str(MEMORY)
    return tempfile.gettempdir()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose parents everyone may pass: as root, servers run as another."""
    made = Path(tempfile.mkdtemp(prefix="devstack-", dir=_choose_parent()))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def port() -> int:
    """The first of four free ports in a row."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        try:
            held = [socket.socket() for _ in range(4)]
            for offset, one in enumerate(held):
                one.bind(("127.0.0.1", first + offset))
        except (OSError, OverflowError):
            continue
        else:
            return first
        finally:
            for one in held:
                one.close()


class Run:
    """A runner as a child of the test, as if started from a terminal."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, RUNNER],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next line that matches."""
        while True:
            line = self._lines.get(timeout=LINE_TIMEOUT_S)
            assert line is not None, f"no {pattern!r} in:\n{self.output}"
            if match := re.search(pattern, line):
                return match

    def wait_until_thinking(self) -> int:
        """The number of a thought that came."""
        return int(self.wait_for(r"thought number (\d+)")[1])

    def interrupt(self) -> int:
        """Ctrl-C: the whole group gets it; returns the exit code."""
        os.killpg(self.popen.pid, signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Waits for the end; returns the exit code."""
        code = self.popen.wait(STOP_TIMEOUT_S)
        self._reader.join()
        return code

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.output += line
            self._lines.put(line)
        self._lines.put(None)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


Start = Callable[..., Run]


@pytest.fixture
def start(folder: Path, port: int) -> Iterator[Start]:
    """Starts a runner over `folder` at `port`; further variables as keywords."""
    runs: list[Run] = []

    def start_one(**environment: str) -> Run:
        told = {"DATA_DIR": str(folder / "data"), "PORT": str(port), **environment}
        runs.append(Run(told))
        return runs[-1]

    yield start_one
    for run in runs:
        run.close()
    for pid in find_processes(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def find_processes(folder: Path, named: str = "") -> list[int]:
    """Processes that work in `folder` or name it, and `named`, in their command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            place = str((process / "cwd").readlink())
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        ours = str(folder) in command or place.startswith(str(folder))
        ours = ours or f"DATA_DIR={folder}" in environment
        if ours and named in command and int(process.name) != os.getpid():
            found.append(int(process.name))
    return sorted(found)
