"""Verdicts on what is to be remembered."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from contracts.clients import SafetyApi
from contracts.problem import ServiceError
from contracts.safety import (
    MAX_BATCH_ITEMS,
    Depth,
    ValidateBatchRequest,
    ValidateRequest,
    Verdict,
    VerdictName,
)
from contracts.verdicts import verdict_holds
from memory_service.errors import BlockedBySafety, SafetyUnavailable
from memory_service.metrics import UNJUDGED
from memory_service.models.memories import Draft, Scrutiny


class Judge:
    """Nothing passes without a verdict: the validator's, or one that it signed."""

    def __init__(self, safety: SafetyApi, service_key: str | None) -> None:
        self._safety = safety
        self._service_key = service_key

    async def judge(
        self, drafts: Sequence[Draft], scrutiny: Scrutiny = Scrutiny.FULL
    ) -> list[Draft | BlockedBySafety]:
        """What may be stored, redacted where need be, in the order of the drafts.

        Raises SafetyUnavailable where there is no verdict on any one of them.
        """
        held = [self._holds(draft) for draft in drafts]
        asked = [
            (draft.agent_id, draft.content)
            for draft, holds in zip(drafts, held, strict=True)
            if not holds
        ]
        depth: Depth = "full" if scrutiny is Scrutiny.FULL else "patterns"
        verdicts = iter(await self._ask(asked, depth))
        judged = scrutiny is not Scrutiny.LATER
        return [
            draft if holds else _apply(draft, next(verdicts), judged)
            for draft, holds in zip(drafts, held, strict=True)
        ]

    async def judge_text(self, agent_id: str, content: str) -> str:
        """The text as it may be stored; raises BlockedBySafety, SafetyUnavailable."""
        (text,) = await self.judge_texts(agent_id, [content])
        if isinstance(text, BlockedBySafety):
            raise text
        return text

    async def judge_texts(
        self, agent_id: str, contents: Sequence[str]
    ) -> list[str | BlockedBySafety]:
        """The texts as they may be kept, in their order; raises SafetyUnavailable."""
        verdicts = await self._ask([(agent_id, content) for content in contents])
        return [
            _passed(content, verdict)
            for content, verdict in zip(contents, verdicts, strict=True)
        ]

    def _holds(self, draft: Draft) -> bool:
        verdict = draft.verdict
        return (
            verdict is not None
            and self._service_key is not None
            and verdict_holds(
                self._service_key,
                verdict.signature,
                draft.agent_id,
                draft.content,
                verdict.verdict,
                verdict.policy_version,
            )
        )

    async def _ask(
        self, texts: Sequence[tuple[str, str]], depth: Depth = "full"
    ) -> list[Verdict]:
        """Verdicts on texts of agents."""
        requests = [
            ValidateRequest(
                content=content, kind="memory", agent_id=agent_id, depth=depth
            )
            for agent_id, content in texts
        ]
        try:
            if len(requests) == 1:
                return [await self._safety.validate(requests[0])]
            groups = await asyncio.gather(
                *(
                    self._safety.validate_batch(
                        ValidateBatchRequest(items=requests[start:][:MAX_BATCH_ITEMS])
                    )
                    for start in range(0, len(requests), MAX_BATCH_ITEMS)
                )
            )
        except ServiceError as error:
            UNJUDGED.inc()
            raise SafetyUnavailable(str(error), error.retry_after_s) from error
        return [verdict for group in groups for verdict in group]


def _apply(draft: Draft, verdict: Verdict, judged: bool) -> Draft | BlockedBySafety:
    content = _passed(draft.content, verdict)
    if isinstance(content, BlockedBySafety):
        return content
    if content == draft.content:
        return draft if judged else replace(draft, judged=False)
    # A vector that came along is the vector of what was redacted.
    return replace(draft, content=content, vector=None, judged=judged)


def _passed(content: str, verdict: Verdict) -> str | BlockedBySafety:
    if verdict.verdict is VerdictName.BLOCK:
        return BlockedBySafety(verdict.model_dump(mode="json", exclude={"signature"}))
    if verdict.verdict is not VerdictName.REDACT:
        return content
    if verdict.redacted_content is None:
        raise SafetyUnavailable("a redaction came without its text", None)
    return verdict.redacted_content
