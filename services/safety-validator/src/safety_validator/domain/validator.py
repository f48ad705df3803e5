"""Verdicts under an id: judged, signed, counted and on record."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from contracts.ids import new_id
from contracts.safety import VerdictName
from contracts.verdicts import sign_verdict
from safety_validator.domain.decision_log import DecisionLog
from safety_validator.domain.judge import Judge, judgement
from safety_validator.domain.plain_text import PlainText, views
from safety_validator.metrics import VALIDATION_SECONDS, VERDICTS
from safety_validator.models import Decision, Finding, Judgement, Ruling, Submission
from servicekit.errors import Overloaded

__all__ = ["Keys", "Validator"]

# A longer text is read beside the event loop; up to here it holds others up for
# less than a millisecond, about what handing it to a thread costs.
MAX_INLINE_CHARS = 8_192
# Long texts that wait for the one thread; the worst of them takes a second or two.
MAX_LONG_WAITING = 32
# A batch lets others in between after this much work.
SLICE_S = 0.002


# A text's views, and what the rules found in them.
_Read = tuple[Sequence[PlainText], list[Finding]]


@dataclass(frozen=True, slots=True)
class Keys:
    """`signing` signs verdicts (none: unsigned), `digest` keys what the log keeps."""

    signing: str | None
    digest: bytes


class Layer(Protocol):
    """Reads a text in which the rules found nothing that blocks."""

    async def read(
        self, submission: Submission, views: Sequence[PlainText]
    ) -> Sequence[Finding]:
        """What it finds; raises Unavailable or Overloaded, and no verdict is given."""
        ...


class Validator:
    """Gives verdicts by one policy, and none that is not on record."""

    def __init__(
        self,
        judge: Judge,
        version: str,
        log: DecisionLog,
        keys: Keys,
        layers: Sequence[Layer] = (),
    ):
        self._judge = judge
        self._layers = layers
        self._version = version
        self._log = log
        self._keys = keys
        self._long_waiting = 0
        # One: what the other core would give here, the event loop needs.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="long-texts")

    def close(self) -> None:
        """Ends the thread for long texts."""
        self._thread.shutdown(cancel_futures=True)

    async def validate(self, submissions: Sequence[Submission]) -> list[Ruling]:
        """Rulings in the order of the submissions.

        Raises:
            DecisionLogFull: and no ruling is given.
            Overloaded: too many long texts wait.
        """
        self._log.check_room(len(submissions))
        decided: list[tuple[Ruling, Decision]] = []
        slice_began_s = time.perf_counter()
        for submission in submissions:
            if time.perf_counter() - slice_began_s > SLICE_S:
                await asyncio.sleep(0)
                slice_began_s = time.perf_counter()
            decided.append(await self._decide(submission))
        self._log.record([decision for _, decision in decided])
        _count(decided)
        return [ruling for ruling, _ in decided]

    async def _decide(self, submission: Submission) -> tuple[Ruling, Decision]:
        started_s = time.perf_counter()
        readings, found = await self._by_rules(submission.content)
        for layer in self._layers:
            if any(finding.verdict is VerdictName.BLOCK for finding in found):
                break
            found += await layer.read(submission, readings)
        return self._rule(submission, judgement(submission.content, found), started_s)

    async def _by_rules(self, content: str) -> _Read:
        if len(content) <= MAX_INLINE_CHARS:
            return self._read(content)
        if self._long_waiting >= MAX_LONG_WAITING:
            raise Overloaded("too many long texts at once")
        self._long_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._read, content)
        finally:
            self._long_waiting -= 1

    def _read(self, content: str) -> _Read:
        readings = views(content)
        return readings, self._judge.findings(readings)

    def _rule(
        self, submission: Submission, judgement: Judgement, started_s: float
    ) -> tuple[Ruling, Decision]:
        digest = hmac.digest(self._keys.digest, submission.content.encode(), "sha256")
        ruling = Ruling(
            id=new_id(),
            judgement=judgement,
            policy_version=self._version,
            signature=self._sign(submission, judgement),
            took_ms=(time.perf_counter() - started_s) * 1000,
        )
        return ruling, self._decision(submission, ruling, digest)

    def _sign(self, submission: Submission, judgement: Judgement) -> str | None:
        if self._keys.signing is None or judgement.verdict is VerdictName.BLOCK:
            return None
        kept = judgement.redacted or submission.content
        return sign_verdict(
            self._keys.signing,
            submission.agent_id,
            kept,
            judgement.verdict.value,
            self._version,
        )

    def _decision(
        self, submission: Submission, ruling: Ruling, digest: bytes
    ) -> Decision:
        judgement = ruling.judgement
        return Decision(
            id=ruling.id,
            agent_id=submission.agent_id,
            kind=submission.kind,
            stream=submission.stream,
            verdict=judgement.verdict,
            findings=judgement.findings,
            content_digest=digest,
            policy_version=self._version,
            created_at=datetime.now(UTC),
        )


def _count(decided: Sequence[tuple[Ruling, Decision]]) -> None:
    for ruling, _ in decided:
        VALIDATION_SECONDS.observe(ruling.took_ms / 1000)
    given = Counter((decision.verdict, decision.kind) for _, decision in decided)
    for (verdict, kind), count in given.items():
        VERDICTS.labels(verdict.value, kind).inc(count)
