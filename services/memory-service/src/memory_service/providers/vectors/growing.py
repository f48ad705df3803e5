"""Rows of bytes that grow: in memory while they are few, then in a mapped file."""

import mmap
import os
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

# Most agents are small: up to here their rows need no file of their own.
PRIVATE_BYTES = 2**20
# A file grows by a quarter, but by no more than this at once.
MAX_GROWTH_BYTES = 2**26
MIN_ROWS = 16


class GrowingRows:
    """Equally long rows, written once and then only overwritten by `overwrite`.

    What grows beyond PRIVATE_BYTES moves to `path`, or to an unlinked temporary file
    where there is no path or nothing can be written there. Rows below the count that
    a reader was told stay readable in the array that it holds while others are added.
    """

    def __init__(self, path: Path | None, width: int) -> None:
        self.path = path
        self.width = width
        self.array: Bytes = np.zeros((0, width), dtype=np.uint8)
        self._file: int | None = None
        self._close: weakref.finalize[[int], GrowingRows] | None = None
        self._temporary = False
        # Rows of `path` that a snapshot may refer to, while the array is private.
        self._saved = 0
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, width: int, count: int) -> "GrowingRows":
        """The first rows of a file; OSError if there are fewer."""
        rows = cls(path, width)
        size = count * width
        if path.stat().st_size < size:
            raise OSError(f"{path.name} is shorter than {count} rows")
        if size <= PRIVATE_BYTES:
            # Rows that came later may be of memories that are forgotten since.
            os.truncate(path, size)
            rows.array = np.fromfile(path, np.uint8, size).reshape(count, width)
            rows._saved = count
        else:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            rows._hold(file)
            os.ftruncate(file, size)
            rows.array = _map(file, count, width)
        return rows

    @property
    def private_bytes(self) -> int:
        """What it takes of memory that no file backs."""
        return self.array.nbytes if self._file is None else 0

    @property
    def can_save(self) -> bool:
        """Whether `save` can put all rows where a restart finds them."""
        return self.path is not None and not self._temporary

    def reserve(self, count: int) -> None:
        """Makes room for so many rows in all; OSError if there is none."""
        if count <= len(self.array):
            return
        most = len(self.array) + max(MAX_GROWTH_BYTES // self.width, 1)
        roomy = max(count, min(len(self.array) * 5 // 4, most), MIN_ROWS)
        with self._lock:
            if roomy * self.width <= PRIVATE_BYTES:
                grown = np.zeros((roomy, self.width), dtype=np.uint8)
                grown[: len(self.array)] = self.array
                self.array = grown
            else:
                self._grow_file(roomy)

    def overwrite(self, slots: NDArray[np.int64], data: Bytes) -> None:
        """Other bytes for rows that there are, on the disk too."""
        with self._lock:
            self.array[slots] = data
            if self._file is None and self._saved and self.path:
                with self.path.open("r+b") as file:
                    for slot, row in zip(slots.tolist(), data, strict=True):
                        if slot < self._saved:
                            file.seek(slot * self.width)
                            file.write(row.tobytes())

    def save(self, count: int) -> None:
        """Returns when the first rows are on the disk, in `path`; OSError."""
        if not self.can_save or self.path is None:
            raise OSError("the rows are in a temporary file")
        with self._lock:
            if self._file is None:
                with self.path.open("r+b" if self._saved else "w+b") as file:
                    file.seek(self._saved * self.width)
                    file.write(self.array[self._saved : count].tobytes())
                self._saved = max(self._saved, count)
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Removes the file; what is mapped stays readable."""
        if self.path:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _grow_file(self, rows: int) -> None:
        try:
            if self._file is not None:
                _allocate(self._file, rows * self.width)
                self.array = _map(self._file, rows, self.width)
            else:
                self._move(self._create(), rows)
        except OSError:
            if self.path is None or self._temporary:
                raise
            # Elsewhere there may be room, if not for a snapshot.
            self._move(_create_temporary(), rows)
            self._temporary = True
            self.discard()

    def _move(self, file: int, rows: int) -> None:
        """What there is goes to `file`; OSError, and then all is as it was."""
        try:
            _allocate(file, rows * self.width)
            mapped = _map(file, rows, self.width)
        except OSError:
            os.close(file)
            raise
        mapped[: len(self.array)] = self.array
        self.array = mapped
        self._hold(file)

    def _create(self) -> int:
        if self.path is None:
            return _create_temporary()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    def _hold(self, file: int) -> None:
        """Closes the file before, whose room is then free once nobody maps it."""
        if self._close is not None:
            self._close()
        self._file = file
        self._close = weakref.finalize(self, os.close, file)


def _create_temporary() -> int:
    file, name = tempfile.mkstemp()
    Path(name).unlink()
    return file


def _map(file: int, rows: int, width: int) -> Bytes:
    mapped = mmap.mmap(file, rows * width)
    return np.frombuffer(mapped, np.uint8).reshape(rows, width)


def _allocate(file: int, size: int) -> None:
    # A hole in a mapped file would end the process when the disk is full.
    os.posix_fallocate(file, 0, size)
