"""Children: each in its own session, its output in a log, gone when its parent is."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack.account import Account
from devstack.errors import StackError
from devstack.logs import LogPipe, RotatingLog

# After SIGKILL only the kernel has work left.
KILL_WAIT_S = 1.0
# Output that the child wrote before it died is in the pipe already.
LAST_OUTPUT_WAIT_S = 0.2
# How PostgreSQL's programs and Python mark the line that matters.
REASON = re.compile(r"FATAL:|PANIC:|[Ee]rror:")

# Part of util-linux. Where it is missing a killed runner leaves its children, and the
# next start deals with them.
SETPRIV = shutil.which("setpriv") if sys.platform == "linux" else None


@dataclass(frozen=True)
class Command:
    """A program, and as whom and where it runs."""

    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path
    account: Account | None = None
    # What the kernel sends when the runner is killed (Linux).
    death_signal: signal.Signals = signal.SIGKILL


class Process:
    """A running child."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: RotatingLog):
        self.name = name
        self.pid = popen.pid
        self._popen = popen
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()

    @classmethod
    async def spawn(cls, name: str, command: Command, log: RotatingLog) -> "Process":
        """Starts the program; raises StackError where that is impossible."""
        log.forget_tail()
        process = cls(name, _open(name, command), log)
        # A thread for each child works on every system and with every loop.
        threading.Thread(target=process._reap, name=name, daemon=True).start()
        try:
            await process._connect_output()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    async def wait(self) -> int:
        """Waits for the end; negative is the number of the signal."""
        await self._ended.wait()
        await self._await_output()
        return self._popen.returncode

    async def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Sends each signal and waits so many seconds; then kills."""
        for number, wait_s in (*steps, (signal.SIGKILL, KILL_WAIT_S)):
            if not self.alive:
                break
            with contextlib.suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(self.pid, number)
                else:
                    os.kill(self.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._ended.wait()
        await self._await_output()

    def describe_end(self) -> str:
        """How it ended, for people."""
        code = self._popen.returncode
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def tail(self) -> list[str]:
        """Its last lines."""
        return self._log.tail()

    async def _await_output(self) -> None:
        # PostgreSQL's orphans may hold the pipe for longer than their postmaster.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_OUTPUT_WAIT_S):
                await asyncio.shield(self._pipe.ended)

    async def _connect_output(self) -> None:
        assert self._popen.stdout is not None
        _, protocol = await self._loop.connect_read_pipe(
            lambda: LogPipe(self._log), self._popen.stdout
        )
        self._pipe = protocol

    def _reap(self) -> None:
        self._popen.wait()
        # The loop may be closed already when the runner itself ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended.set)


def _open(name: str, command: Command) -> subprocess.Popen[bytes]:
    account = command.account
    try:
        return subprocess.Popen(
            [*_dying_with_us(command), *map(str, command.arguments)],
            env=dict(command.environment),
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches the whole group: only the runner may act on it.
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"{name} cannot be started: {error}") from error


def _dying_with_us(command: Command) -> list[str]:
    # Asked for by the child itself, after its change of uid, which clears it. Done
    # without Python in the forked child: this process has threads.
    if SETPRIV is None:
        return []
    return [SETPRIV, "--pdeathsig", command.death_signal.name, "--"]


async def run_to_end(name: str, command: Command, log: RotatingLog) -> None:
    """Runs a program that ends by itself; raises StackError with what it said."""
    process = await Process.spawn(name, command, log)
    try:
        code = await process.wait()
    finally:
        await process.stop()
    if code != 0:
        said = find_reason(process.tail())
        raise StackError(f"{name} failed ({process.describe_end()}): {said}")


def find_reason(lines: Sequence[str]) -> str:
    """The line of a program's last words that says what went wrong."""
    telling = [line for line in lines if REASON.search(line)]
    return (telling or list(lines) or ["no output"])[-1].strip()
