"""Where the indexes of this process have their files: one folder an agent."""

import fcntl
import hashlib
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from memory_service import metrics
from memory_service.models.vectors import Position
from memory_service.providers.vectors.agent import AgentVectors, Restored
from memory_service.providers.vectors.manifest import SnapshotUnfit, read_manifest

# A process that is being replaced may hold the folder for as long as it stops.
LOCK_WAIT_S = 3.0
LOCK_POLL_S = 0.05
LOCK_FILE = "lock"
# What folders end with that are about to be removed.
ASIDE = ".gone"
# The unit of `st_blocks`, whatever the file system's own.
STAT_BLOCK_BYTES = 512

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder; `agent_id` is None where it has no snapshot that could be used."""

    name: str
    agent_id: str | None
    position: Position
    # As `time.time` has it.
    saved_at_s: float
    size_bytes: int


class Shelf:
    """Without a folder, or with one that cannot be used, nothing outlives the process.

    Blocks: to be called in a thread, and for one agent from one at a time.
    """

    def __init__(self, folder: Path | None, model: str) -> None:
        self._folder = folder
        self._model = model
        self._lock: int | None = None

    def open(self) -> None:
        """Takes the folder for this process alone."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self._folder / LOCK_FILE)
        except OSError as error:
            metrics.SNAPSHOT_FAILURES.labels("open").inc()
            log.warning("index folder cannot be used", error=repr(error))
            self._folder = None

    def close(self) -> None:
        """Leaves it to another process."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def keeps(self) -> bool:
        """Whether snapshots can be kept."""
        return self._folder is not None

    def name(self, agent_id: str) -> str:
        """The name of an agent's folder."""
        return hashlib.sha256(agent_id.encode()).hexdigest()

    def restore(self, agent_id: str) -> Restored | None:
        """The agent's vectors as its snapshot has them."""
        folder = self._find(agent_id)
        if folder is None or not folder.is_dir():
            return None
        return AgentVectors.restore(agent_id, self._model, folder)

    def make(self, agent_id: str) -> AgentVectors:
        """No vectors yet, in a new folder where there may be one."""
        folder = self._find(agent_id)
        if folder is not None:
            try:
                if folder.exists():
                    shutil.rmtree(self.set_aside(folder.name))
                folder.mkdir()
            except OSError as error:
                metrics.SNAPSHOT_FAILURES.labels("open").inc()
                log.warning("an index has no folder", error=repr(error))
                folder = None
        return AgentVectors(agent_id, self._model, folder)

    def set_aside(self, name: str) -> Path:
        """Renames a folder, which is then to be removed; raises OSError."""
        assert self._folder is not None
        aside = self._folder / f"{name}.{time.monotonic_ns()}{ASIDE}"
        return (self._folder / name).rename(aside)

    def kept(self) -> list[Kept]:
        """The folders there are."""
        if self._folder is None:
            return []
        found = []
        for entry in self._folder.iterdir():
            # One may go while it is looked at.
            with suppress(FileNotFoundError):
                if entry.is_dir():
                    found.append(_look(entry))
        return found

    def _find(self, agent_id: str) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / self.name(agent_id)


def _lock(file: Path) -> int:
    """An open file that no other process has locked; raises OSError."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until_s:
                os.close(descriptor)
                raise
            time.sleep(LOCK_POLL_S)
        else:
            return descriptor


def _look(folder: Path) -> Kept:
    try:
        found = None if folder.name.endswith(ASIDE) else read_manifest(folder)
    except (SnapshotUnfit, OSError, ValueError, TypeError, KeyError, AttributeError):
        found = None
    files = [file.stat() for file in folder.iterdir()]
    return Kept(
        folder.name,
        found.agent_id if found else None,
        Position(found.seq, found.timeline) if found else Position(0, ""),
        max((file.st_mtime for file in files), default=folder.stat().st_mtime),
        sum(file.st_blocks * STAT_BLOCK_BYTES for file in files),
    )
