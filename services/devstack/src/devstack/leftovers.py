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
# Larger than any process number of Linux or macOS.
NOBODYS_PID = 2**30


async def stop_leftover(data: Path) -> None:
    """Stops the postmaster that still runs over `data`.

    The file of a dead one stays: by it the next one sees whether the dead one's
    children still write.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid_line, rest = pid_file.read_text().split("\n", 1)
        pid = int(pid_line)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return
    for number, wait_s in STOP_STEPS:
        if not _runs_over(pid, data):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        await _await_end(pid, data, wait_s)
    if _runs_over(pid, data):
        raise StackError(f"process {pid} holds {data} and cannot be stopped")
    if pid_file.exists() and _exists(pid):
        # Its number belongs to a stranger now, whom PostgreSQL would take for it.
        pid_file.write_text(f"{NOBODYS_PID}\n{rest}")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
