"""What a killed runner left: a live server over our data, or a dead one's files."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

from devstack.errors import StackError

# A killed runner's server gets SIGQUIT from the kernel and is mostly gone already.
STOP_STEPS = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))
POLL_S = 0.02


async def stop_leftover(data: Path) -> None:
    """Stops the postmaster that still runs over `data`; removes a stale pid file."""
    pid_file = data / "postmaster.pid"
    pid = _read_pid(pid_file)
    if pid is None:
        return
    for number, wait_s in STOP_STEPS:
        if not _runs_over(pid, data):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        await _await_end(pid, data, wait_s)
    if _runs_over(pid, data):
        raise StackError(f"process {pid} holds {data} and cannot be stopped")
    # Left in place it would stop us where its number belongs to another process now.
    pid_file.unlink(missing_ok=True)


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return None


async def _await_end(pid: int, data: Path, wait_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            while True:
                if not _runs_over(pid, data):
                    return
                await asyncio.sleep(POLL_S)


def _runs_over(pid: int, data: Path) -> bool:
    """Whether that process is a server over `data`, not a stranger with its number."""
    processes = Path("/proc")
    if (processes / "self").exists():
        try:
            return (processes / str(pid) / "cwd").readlink() == data.resolve()
        except OSError:
            return False
    shown = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True
    )
    return str(data) in shown.stdout
