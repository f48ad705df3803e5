"""What the operating system accounts to processes."""

from pathlib import Path

import psutil

KIB_PER_MB = 1000 / 1.024


def private_mb(pid: int) -> float:
    """Anonymous memory of a process in MB (10^6 bytes): what nobody shares with it
    and the kernel cannot drop. Pages of files it maps are not counted."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / KIB_PER_MB
    raise ValueError(f"no memory accounted to {pid}")


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that these processes have used so far."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]
