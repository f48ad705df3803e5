"""Leaves a server alone that fails again and again, so that it costs no deadline."""

import time
from collections.abc import Callable

__all__ = ["Breaker"]

# Failures in a row: fewer are bad luck.
FAILURES_TO_OPEN = 3
# The first rest; doubled each time the one call after it fails too.
FIRST_REST_S = 2.0
LONGEST_REST_S = 30.0


class Breaker:
    """After a few failures no call passes until a rest is over; then one at a time.

    Whoever was let through says how it ended.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._rests_until_s = 0.0
        self._probing = False

    def lets_pass(self) -> bool:
        """Whether a call may begin."""
        if self._failures < FAILURES_TO_OPEN:
            return True
        if self._probing or self._clock() < self._rests_until_s:
            return False
        self._probing = True
        return True

    def answered(self) -> None:
        """The server is well."""
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._probing = False

    def failed(self) -> None:
        """The server is not well; calls that began before that say nothing new."""
        self._failures += 1
        if self._failures == FAILURES_TO_OPEN:
            self._rests_until_s = self._clock() + self._rest_s
        elif self._probing:
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
            self._rests_until_s = self._clock() + self._rest_s
        self._probing = False

    def left(self) -> None:
        """The caller gave up, which says nothing of the server."""
        self._probing = False
