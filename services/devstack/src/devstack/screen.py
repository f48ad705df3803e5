"""What the person at the terminal sees."""

import os
import sys
import time
from typing import TextIO


class OutputClosed(Exception):
    """Nobody reads the output any more."""


class Screen:
    """Lines on the standard output, steps with the seconds since the start."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._begun_s = time.monotonic()

    def step(self, what: str) -> None:
        """A step of the start is done."""
        self.say(f"{time.monotonic() - self._begun_s:6.2f} s  {what}")

    def say(self, line: str) -> None:
        """One line; raises OutputClosed where nobody reads any more."""
        try:
            print(line, file=self._stream, flush=True)
        except BrokenPipeError as error:
            # The interpreter's own flush at the end must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise OutputClosed from error
        except OSError:
            # A full disk behind a redirected output stops nothing else.
            return
