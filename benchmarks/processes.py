"""What the operating system accounts to processes."""

from pathlib import Path

import psutil

KIB_PER_MB = 1000 / 1.024


def private_mb(pid: int) -> float:
    """Anonymous memory of a process in MB (10^6 bytes): what nobody shares with it
    and the kernel cannot drop. Pages of files it maps are not counted."""
    return _rollup(pid)["Anonymous"]


def mapped_mb(pid: int) -> float:
    """Pages of files that it maps and that are in memory now, in MB: evictable."""
    memory = _rollup(pid)
    return memory["Rss"] - memory["Anonymous"]


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that these processes have used so far."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]


def _rollup(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    parts = [line.split() for line in lines]
    return {name.rstrip(":"): int(size) / KIB_PER_MB for name, size, *_ in parts}
