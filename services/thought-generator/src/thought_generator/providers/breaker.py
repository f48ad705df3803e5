"""Leaves a server alone that fails again and again, and tries it with one call."""

import random
import time
from collections.abc import Callable
from enum import IntEnum

from thought_generator.errors import EngineUnavailable
from thought_generator.metrics import BREAKER_OPENED, BREAKER_STATE

# Failures in a row, of whichever calls: fewer are bad luck.
FAILURES_TO_OPEN = 5
# The first rest; doubled after each probe that failed, up to the longest.
FIRST_REST_S = 5.0
LONGEST_REST_S = 60.0
# No server is left alone longer, and no caller told to wait longer, whatever it asks.
MAX_RETRY_AFTER_S = 300.0
# Replicas that met the same outage do not come back at one moment.
SPREAD = 0.25
# What those are told who come while the one probe is under way.
PROBE_S = 1.0


class State(IntEnum):
    """As the gauge shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """One for each server. Every call asks `enter` and says how it ended.

    Closed, all calls pass. Open, none does, until the rest is over; then exactly
    one passes as a probe, and its end decides.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state = State.CLOSED
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._open_until_s = 0.0
        BREAKER_STATE.set(self._state)

    def enter(self) -> bool:
        """Whether this call is the probe, which its end must be told with.

        Raises:
            EngineUnavailable: this server is left alone for `retry_after_s`.
        """
        if self._state is State.CLOSED:
            return False
        wait_s = PROBE_S if self._state is State.HALF_OPEN else self.rest_s
        if wait_s > 0:
            refused = EngineUnavailable("the model's server failed and is left alone")
            refused.retry_after_s = wait_s
            raise refused
        self._turn(State.HALF_OPEN)
        return True

    @property
    def rest_s(self) -> float:
        """How long the server is still left alone; 0 when it is not."""
        if self._state is not State.OPEN:
            return 0.0
        return max(0.0, self._open_until_s - self._clock())

    def answered(self, probe: bool) -> None:
        """The server answered, be it with an error of ours."""
        if self._state is State.CLOSED or probe:
            self._failures = 0
            self._rest_s = FIRST_REST_S
            self._turn(State.CLOSED)

    def failed(self, probe: bool, asked_s: float | None = None) -> None:
        """The server failed; `asked_s` is a longer rest that it asked for itself."""
        if probe:
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
            self._open("probe", max(self._rest_s, asked_s or 0.0))
        elif self._state is State.CLOSED:
            self._failures += 1
            if asked_s is not None:
                self._open("retry_after", asked_s)
            elif self._failures >= FAILURES_TO_OPEN:
                self._open("failures", self._rest_s)

    def left(self, probe: bool) -> None:
        """The caller gave up: that says nothing of the server."""
        if probe:
            # Its rest is over, so the next call is the probe.
            self._turn(State.OPEN)

    def _open(self, reason: str, rest_s: float) -> None:
        spread = random.uniform(1.0, 1.0 + SPREAD)
        rest_s = min(rest_s * spread, MAX_RETRY_AFTER_S)
        self._open_until_s = self._clock() + rest_s
        self._turn(State.OPEN)
        BREAKER_OPENED.labels(reason).inc()

    def _turn(self, state: State) -> None:
        self._state = state
        BREAKER_STATE.set(state)
