"""Waiting for what a cluster brings about in its own time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_S = 0.5


def eventually(what: str, found: Callable[[], Found], within_s: float) -> Found:
    """The first true answer; AssertionError with the last one when there is none."""
    end = time.monotonic() + within_s
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {within_s:g} s, last {answer!r}")
        time.sleep(POLL_S)
