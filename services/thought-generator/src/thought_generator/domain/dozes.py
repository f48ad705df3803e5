"""Dozes: how long a stream waits when something is out, and who is told of it."""

import random
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from servicekit.errors import AppError
from thought_generator.errors import BlockedBySafety, BudgetSpent, EngineUnavailable
from thought_generator.metrics import DOZES
from thought_generator.models.agents import Doze
from thought_generator.models.feed import Notice
from thought_generator.models.leases import Lease

# While something is out: the first pause, doubled up to the longest.
FIRST_DOZE_S = 0.25
LONGEST_DOZE_S = 4.0
# An engine may say when it is worth asking again; it may say anything.
LONGEST_ASKED_DOZE_S = 60.0
# A spent budget may be raised, and what others only reserved comes back.
LONGEST_BUDGET_DOZE_S = 15.0
# Streams that fell asleep together do not wake up together.
SPREAD = 0.1
# The problem of a defect of ours.
INTERNAL = "internal"

log = structlog.get_logger()


class Records(Protocol):
    """Where it is kept that a stream dozes."""

    async def doze(
        self, lease: Lease, problem: str, pause: timedelta | None
    ) -> Doze | None:
        """Keeps it until the stream's next thought; None if the stream is lost."""
        ...


class Notices(Protocol):
    """Who listens to an agent."""

    async def notice(self, agent_id: str, notice: Notice) -> None:
        """Tells them, as well as it can."""
        ...


class Dozes:
    """The dozes of one stream, one after the other."""

    def __init__(self, lease: Lease, records: Records, notices: Notices) -> None:
        self._lease = lease
        self._records = records
        self._notices = notices
        self._pause_s = FIRST_DOZE_S
        self._recorded: str | None = None
        # Also one that the stream's last owner recorded.
        self._dozing = lease.dozing_since is not None

    async def begin(self, error: Exception) -> float:
        """Records, tells and logs the doze; returns its length in seconds."""
        problem = error.kind if isinstance(error, AppError) else INTERNAL
        DOZES.labels(problem).inc()
        if isinstance(error, AppError):
            self._log.warning("stream dozes", error=f"{problem}: {error}")
        else:
            # It must be seen, and must not spin.
            self._log.error("beat failed", exc_info=error)
        pause_s = self._length_s(error)
        lengthy = pause_s > LONGEST_DOZE_S * (1 + SPREAD)
        # Once for a row of short ones: an outage is no reason to write all the time.
        if lengthy or problem != self._recorded:
            await self._record(problem, pause_s if lengthy else None)
        return pause_s

    async def end(self) -> None:
        """The stream has thought again."""
        self._pause_s = FIRST_DOZE_S
        self._recorded = None
        if self._dozing:
            self._dozing = False
            self._log.info("stream wakes up")
            await self._tell("wake", {})

    @property
    def _log(self) -> Any:
        return log.bind(agent_id=self._lease.agent_id, stream=self._lease.stream)

    def _length_s(self, error: Exception) -> float:
        if isinstance(error, BlockedBySafety):
            # Nothing is out: the next beat turns to something else.
            return self._lease.interval_seconds
        if isinstance(error, BudgetSpent):
            asked_s = error.retry_after_s or self._lease.interval_seconds
            return _spread(min(asked_s, LONGEST_BUDGET_DOZE_S))
        pause_s = self._pause_s if isinstance(error, AppError) else LONGEST_DOZE_S
        self._pause_s = min(self._pause_s * 2, LONGEST_DOZE_S)
        if isinstance(error, EngineUnavailable) and error.retry_after_s:
            pause_s = max(pause_s, min(error.retry_after_s, LONGEST_ASKED_DOZE_S))
        return _spread(pause_s)

    async def _record(self, problem: str, pause_s: float | None) -> None:
        pause = None if pause_s is None else timedelta(seconds=pause_s)
        try:
            doze = await self._records.doze(self._lease, problem, pause)
        except Exception as error:  # noqa: BLE001 - it must not end the stream
            # It may be the database that is out; the next doze is recorded then.
            self._log.warning("doze is not recorded", error=str(error))
            return
        if doze is None:
            return
        self._recorded, self._dozing = problem, True
        await self._tell(
            "doze",
            {
                "since": _written(doze.since),
                "problem": doze.problem,
                "until": _written(doze.until) if doze.until else None,
            },
        )

    async def _tell(self, kind: str, data: dict[str, Any]) -> None:
        await self._notices.notice(
            self._lease.agent_id, Notice(self._lease.stream, kind, data)
        )


def _written(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _spread(seconds: float) -> float:
    """Never earlier than asked."""
    return max(seconds, 0.0) * random.uniform(1, 1 + SPREAD)
