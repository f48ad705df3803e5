"""Verdicts under an id: judged, signed, counted and on record."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from contracts.call import deadline_s
from contracts.ids import new_id
from contracts.safety import VerdictName
from contracts.verdicts import sign_verdict
from safety_validator.domain.behaviour import Behaviour
from safety_validator.domain.decision_log import DecisionLog
from safety_validator.domain.examiner import Examiner, Layer
from safety_validator.domain.in_force import PolicyInForce
from safety_validator.domain.judge import judgement
from safety_validator.domain.verdict_cache import VerdictCache
from safety_validator.errors import OutOfMemory
from safety_validator.metrics import CATEGORIES, VALIDATION_SECONDS, VERDICTS
from safety_validator.models import (
    Decision,
    Judgement,
    RuleSet,
    Ruling,
    Submission,
)
from servicekit.errors import DeadlineExceeded

__all__ = ["Keys", "Validator"]

# A batch lets others in between after this much work.
SLICE_S = 0.002
# Texts of one batch that layers read at once: enough to keep them busy, and a batch
# does not fill their queues.
BATCH_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Keys:
    """`signing` signs verdicts (none: unsigned), `digest` keys what the log keeps."""

    signing: str | None
    digest: bytes


class _Judged(NamedTuple):
    """A judgement with the policy it was made by and the digest of its text."""

    policy: RuleSet
    judgement: Judgement
    digest: bytes
    took_ms: float


class Validator:
    """Gives verdicts by one policy, and none that is not on record."""

    def __init__(
        self,
        policy: PolicyInForce,
        log: DecisionLog,
        keys: Keys,
        layers: Sequence[Layer] = (),
        cache: VerdictCache | None = None,
    ):
        self._policy = policy
        self._log = log
        self._keys = keys
        self._examiner = Examiner(layers, cache)
        self._behaviour = Behaviour()

    def close(self) -> None:
        """Ends the thread for long texts."""
        self._examiner.close()

    async def validate(self, submissions: Sequence[Submission]) -> list[Ruling]:
        """Rulings in the order of the submissions.

        Raises:
            DecisionLogFull: and no ruling is given.
            DeadlineExceeded: the caller waits no more.
            Overloaded: too many long texts wait.
            OutOfMemory: there was not enough to judge in.
            Unavailable: a layer does not answer.
        """
        self._log.check_room(len(submissions))
        try:
            decided = await self._decide_all(submissions)
            self._log.record([decision for _, decision in decided])
        except MemoryError as error:
            raise OutOfMemory from error
        _count(decided)
        return [ruling for ruling, _ in decided]

    async def _decide_all(
        self, submissions: Sequence[Submission]
    ) -> list[tuple[Ruling, Decision]]:
        judged: dict[int, _Judged] = {}
        left = iter(enumerate(submissions))
        turn = _Turn()

        async def work() -> None:
            for place, submission in left:
                await turn.pause_in_time()
                judged[place] = await self._judge(submission)

        if len(submissions) == 1:
            await work()
        else:
            await _all_or_none([work() for _ in range(BATCH_AT_ONCE)])
        # All at the end: ids are in the order of the records.
        return [
            self._decide(submission, judged[place])
            for place, submission in enumerate(submissions)
        ]

    async def _judge(self, submission: Submission) -> _Judged:
        started_s = time.perf_counter()
        _check_deadline()
        # What begins under one policy ends under it.
        policy, judge = self._policy.current
        digest = hmac.digest(self._keys.digest, submission.content.encode(), "sha256")
        found = await self._examiner.examine(policy, judge, submission, digest)
        found += self._behaviour.observe(policy.habits, submission, found)
        judged = judgement(submission.content, found)
        took_ms = (time.perf_counter() - started_s) * 1000
        return _Judged(policy, judged, digest, took_ms)

    def _decide(
        self, submission: Submission, judged: _Judged
    ) -> tuple[Ruling, Decision]:
        version = judged.policy.version
        ruling = Ruling(
            id=new_id(),
            judgement=judged.judgement,
            policy_version=version,
            signature=self._sign(version, submission, judged.judgement),
            took_ms=judged.took_ms,
        )
        return ruling, _decision(submission, judged, ruling.id)

    def _sign(
        self, version: str, submission: Submission, judgement: Judgement
    ) -> str | None:
        blocked = judgement.verdict is VerdictName.BLOCK
        if self._keys.signing is None or blocked or submission.depth != "full":
            return None
        kept = judgement.redacted or submission.content
        return sign_verdict(
            self._keys.signing,
            submission.agent_id,
            kept,
            judgement.verdict.value,
            version,
        )


class _Turn:
    """Of a batch, whose texts are judged at once but share one turn."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    async def pause_in_time(self) -> None:
        """Lets others in when the turn was long enough."""
        while time.perf_counter() - (began_s := self._began_s) > SLICE_S:
            await asyncio.sleep(0)
            if self._began_s == began_s:
                self._began_s = time.perf_counter()
                return


async def _all_or_none(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Waits for all; where one fails the others are called off, and it is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _check_deadline() -> None:
    """A verdict that nobody waits for is work for nothing."""
    deadline = deadline_s.get()
    if deadline is not None and time.monotonic() >= deadline:
        raise DeadlineExceeded


def _decision(submission: Submission, judged: _Judged, own_id: UUID) -> Decision:
    return Decision(
        id=own_id,
        agent_id=submission.agent_id,
        kind=submission.kind,
        stream=submission.stream,
        verdict=judged.judgement.verdict,
        findings=judged.judgement.findings,
        content_digest=judged.digest,
        policy_version=judged.policy.version,
        created_at=datetime.now(UTC),
        content=submission.content if judged.policy.keep_content else None,
    )


def _count(decided: Sequence[tuple[Ruling, Decision]]) -> None:
    for ruling, decision in decided:
        VALIDATION_SECONDS.observe(ruling.took_ms / 1000)
        for category, layer in {(f.category, f.layer) for f in decision.findings}:
            CATEGORIES.labels(category.value, layer).inc()
    given = Counter((decision.verdict, decision.kind) for _, decision in decided)
    for (verdict, kind), count in given.items():
        VERDICTS.labels(verdict.value, kind).inc(count)
