"""An external guard: a further layer, read after our own and before the verdict.

Three families of models are known, each by what its documentation says of prompts
and answers; the server fills in the model's own template around the text.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from contracts.safety import VerdictName
from safety_validator.domain.guard_families import Family, Hazard, Question
from safety_validator.domain.plain_text import PlainText
from safety_validator.domain.policy import HARD_CATEGORIES
from safety_validator.errors import GuardAbsent
from safety_validator.metrics import GUARD_ABSENCES, GUARD_SECONDS
from safety_validator.models import (
    ExternalGuard,
    Finding,
    Span,
    Submission,
)

__all__ = ["ABSENT", "LAYER", "Guard"]

LAYER = "guard"
# What stands in the place of a rule where the guard did not read a text.
ABSENT = f"{LAYER}.absent"
# What a text is cut into, with so much of one piece repeated in the next. An attack
# is found less often the more there is around it.
OVERLAP_CHARS = 200
# A text of more pieces would keep the guard busy for long beyond any deadline.
MAX_PIECES = 64


class Server(Protocol):
    """Where the guard is asked."""

    async def ask(self, path: str, body: dict[str, Any], deadline_s: float) -> Any:
        """The JSON of its answer; GuardAbsent where there is none by the deadline,
        in seconds of the event loop's clock."""
        ...


class _Piece(NamedTuple):
    text: str
    span: Span | None


class Guard:
    """Asks a guard of each piece of a text; its silence counts as the policy says."""

    def __init__(
        self,
        family: Family,
        model: str,
        server: Server,
        timeout_s: float,
        policy: Callable[[], ExternalGuard],
    ) -> None:
        self._family = family
        self._model = model
        self._server = server
        self._timeout_s = timeout_s
        self._policy = policy
        self._version = repr((type(family).__name__, model))
        self._away = False

    @property
    def version(self) -> str | None:
        """The model's name; none while it was silent about the last text, whose
        findings must not be kept."""
        return None if self._away else self._version

    async def read(
        self, submission: Submission, views: Sequence[PlainText]
    ) -> Sequence[Finding]:
        """What the guard says of the text; the first that blocks ends the work."""
        policy = self._policy()
        if submission.kind not in policy.kinds:
            return ()
        started_s = time.perf_counter()
        try:
            return await self._read(policy, views)
        finally:
            GUARD_SECONDS.observe(time.perf_counter() - started_s)

    async def _read(
        self, policy: ExternalGuard, views: Sequence[PlainText]
    ) -> Sequence[Finding]:
        pieces = list(islice(_pieces(views, self._family), MAX_PIECES + 1))
        found: list[Finding] = []
        silent: str | None = "too_long"
        if len(pieces) <= MAX_PIECES:
            found, silent = await self._ask_all(policy, pieces)
        self._away = silent is not None
        return found if silent is None else [*found, *self._silence(policy, silent)]

    async def _ask_all(
        self, policy: ExternalGuard, pieces: Sequence[_Piece]
    ) -> tuple[list[Finding], str | None]:
        """What was found, and why not all was read; the first that blocks is enough."""
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        calls = [
            asyncio.ensure_future(self._ask(policy, question, piece, deadline_s))
            for piece in pieces
            for question in self._family.questions(
                self._model, piece.text, policy.criteria
            )
        ]
        found: list[Finding] = []
        silent = None
        try:
            for coming in asyncio.as_completed(calls):
                try:
                    answer = await coming
                except GuardAbsent as absent:
                    silent = absent.reason
                    continue
                found += answer
                if any(finding.verdict is VerdictName.BLOCK for finding in answer):
                    return found, None
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        return found, silent

    async def _ask(
        self,
        policy: ExternalGuard,
        question: Question,
        piece: _Piece,
        deadline_s: float,
    ) -> Sequence[Finding]:
        answer = await self._server.ask(question.path, question.body, deadline_s)
        try:
            hazards = self._family.hazards(answer, question)
        except (ValueError, LookupError, TypeError) as error:
            raise GuardAbsent("unusable") from error
        return [_finding(policy, hazard, piece.span) for hazard in hazards]

    def _silence(self, policy: ExternalGuard, reason: str) -> Sequence[Finding]:
        """What the policy says of a text that the guard did not read.

        It is never simply allowed where the guard would have looked for what a hard
        constraint forbids. The score is 0: nothing was found.
        """
        GUARD_ABSENCES.labels(reason).inc()
        looked_for = self._family.categories(policy.criteria)
        hard = [category for category in looked_for if category in HARD_CATEGORIES]
        verdict = policy.on_absence
        if verdict is VerdictName.ALLOW:
            if not hard:
                return ()
            verdict = VerdictName.FLAG
        category = (hard or looked_for)[0]
        return (Finding(category, verdict, 0.0, LAYER, ABSENT, None),)


def _pieces(views: Sequence[PlainText], family: Family) -> Iterator[_Piece]:
    """Of each different view; the plain one comes first, whole where it is short."""
    read = set()
    for view in views:
        if view.text in read or not view.text.strip():
            continue
        read.add(view.text)
        size = family.piece_chars(view.text)
        if len(view.text) <= size:
            whole = view is views[0]
            yield _Piece(
                view.text, None if whole else view.original((0, len(view.text)))
            )
            continue
        for start in range(0, len(view.text) - OVERLAP_CHARS, size - OVERLAP_CHARS):
            end = min(start + size, len(view.text))
            yield _Piece(view.text[start:end], view.original((start, end)))


def _finding(policy: ExternalGuard, hazard: Hazard, span: Span | None) -> Finding:
    verdict = policy.verdict if hazard.grave else VerdictName.FLAG
    rule = f"{LAYER}.{hazard.code}"
    return Finding(hazard.category, verdict, hazard.score, LAYER, rule, span)
