"""The output of a child, kept in files of bounded size."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# A day of a quiet service fits in one file; three tell what led to a crash.
MAX_FILE_BYTES = 10_000_000
FILE_COUNT = 3
# Enough to show the end of a traceback.
TAIL_BYTES = 8_192
TAIL_LINES = 12
# Of a line without an end only the beginning is kept.
MAX_LINE_BYTES = 65_536


class RotatingLog:
    """`name.log`, `name.log.1` and so on; the newest lines are also at hand."""

    def __init__(
        self, file: Path, on_line: Callable[[bytes], None] | None = None
    ) -> None:
        self._file = file
        self._on_line = on_line
        self._begun_line = b""
        self._stream: BinaryIO | None = None
        self._size_bytes = 0
        self._tail = b""

    def write(self, data: bytes) -> None:
        """Appends; a full disk loses lines of the log, never the stack."""
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        if self._on_line is not None:
            *lines, rest = (self._begun_line + data).split(b"\n")
            self._begun_line = rest[:MAX_LINE_BYTES]
            for line in lines:
                self._on_line(line)
        try:
            stream = self._opened()
            stream.write(data)
        except OSError:
            return
        self._size_bytes += len(data)

    def forget_tail(self) -> None:
        """What comes next belongs to another run."""
        self._tail = b""

    def tail(self) -> list[str]:
        """The last lines since the start of this run."""
        lines = self._tail.decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-TAIL_LINES:]

    def close(self) -> None:
        """Closes the file; a later line opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _opened(self) -> BinaryIO:
        if self._size_bytes >= MAX_FILE_BYTES:
            self.close()
            self._rotate()
        if self._stream is None:
            self._stream = self._file.open("ab", buffering=0)
            self._size_bytes = self._stream.tell()
        return self._stream

    def _rotate(self) -> None:
        for number in range(FILE_COUNT - 1, 0, -1):
            older = self._file.with_name(f"{self._file.name}.{number}")
            newer = (
                self._file.with_name(f"{self._file.name}.{number - 1}")
                if number > 1
                else self._file
            )
            if newer.exists():
                newer.replace(older)
        self._size_bytes = 0


class LogPipe(asyncio.Protocol):
    """Carries what a child prints into its log."""

    def __init__(self, log: RotatingLog) -> None:
        self._log = log
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._log.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._log.close()
        if not self.ended.done():
            self.ended.set_result(None)
