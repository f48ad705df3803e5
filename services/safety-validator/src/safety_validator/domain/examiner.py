"""What there is to be found in a text: by the rules, by further layers, or before."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from contracts.safety import VerdictName
from safety_validator.domain.judge import Judge
from safety_validator.domain.plain_text import PlainText
from safety_validator.domain.severity import weighed
from safety_validator.domain.verdict_cache import VerdictCache
from safety_validator.domain.views import views
from safety_validator.models import Finding, RuleSet, Submission
from servicekit.errors import Overloaded

__all__ = ["Examiner", "Layer"]

# A longer text is read beside the event loop; up to here it holds others up for
# less than a millisecond, about what handing it to a thread costs.
MAX_INLINE_CHARS = 8_192
# Long texts that wait for the one thread; the worst of them takes a second or two.
MAX_LONG_WAITING = 32

Made = TypeVar("Made")


class Layer(Protocol):
    """Reads a text in which the rules found nothing that blocks."""

    @property
    def version(self) -> str | None:
        """What its findings depend on beside text, kind and policy; None where it
        would find something else in a moment, such as after it was away. Empty where
        it reads nothing under this policy."""
        ...

    async def read(
        self, submission: Submission, views: Sequence[PlainText]
    ) -> Sequence[Finding]:
        """What it finds; raises Unavailable or Overloaded, and no verdict is given."""
        ...


class Examiner:
    """Reads texts; the first finding that blocks ends the work on a text."""

    def __init__(self, layers: Sequence[Layer], cache: VerdictCache | None) -> None:
        self._layers = layers
        self._cache = cache
        self._long_waiting = 0
        # One: what the other core would give here, the event loop needs.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="long-texts")

    def close(self) -> None:
        """Ends the thread for long texts."""
        self._thread.shutdown(cancel_futures=True)

    async def examine(
        self, policy: RuleSet, judge: Judge, submission: Submission, digest: bytes
    ) -> list[Finding]:
        """What rules and layers find in a text, or found in the same text before;
        `digest` stands for its content.

        Raises Overloaded, Unavailable, MemoryError.
        """
        whole = submission.depth == "full"
        key = self._cache_key(policy, submission, digest) if whole else None
        if self._cache and key and (held := self._cache.held(key)) is not None:
            return list(held)
        readings, found = await self._of(submission.content, partial(_read, judge))
        found = weighed(policy, submission, found)
        if not whole or not self._layers or _blocks(found):
            return found
        if self._cache and key and (told := await self._cache.fetch(key)) is not None:
            return list(told)
        if any(finding.verdict is VerdictName.REDACT for finding in found):
            readings = await self._of(_blanked(submission, found), views)
        for layer in self._layers:
            more = await layer.read(submission, readings)
            found += weighed(policy, submission, more)
            if _blocks(found):
                break
        # A layer that was away meanwhile has no version now.
        if self._cache and key and key == self._cache_key(policy, submission, digest):
            self._cache.put(key, found)
        return found

    def _cache_key(
        self, policy: RuleSet, submission: Submission, digest: bytes
    ) -> str | None:
        """Names all that findings depend on: the text to the letter, for they have
        places in it; kind, policy, layers, and how the agent is judged."""
        versions = [layer.version for layer in self._layers]
        if None in versions or not any(versions):
            return None
        agent = policy.agent(submission.agent_id)
        named = repr(
            (
                submission.kind,
                policy.version,
                versions,
                agent.strictness,
                *sorted(agent.block),
            )
        )
        return hashlib.sha256(digest + named.encode()).hexdigest()

    async def _of(self, content: str, made: Callable[[str], Made]) -> Made:
        """What is made of the content: of a long one in the thread for such."""
        if len(content) <= MAX_INLINE_CHARS:
            return made(content)
        if self._long_waiting >= MAX_LONG_WAITING:
            raise Overloaded("too many long texts at once")
        self._long_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, made, content)
        finally:
            self._long_waiting -= 1


def _blanked(submission: Submission, findings: Iterable[Finding]) -> str:
    """The content without what is cut out anyway, its places as they were: a key has
    no meaning for a model to find."""
    chars = list(submission.content)
    for finding in findings:
        if finding.verdict is VerdictName.REDACT and finding.span is not None:
            start, end = finding.span
            chars[start:end] = " " * (end - start)
    return "".join(chars)


def _blocks(findings: Iterable[Finding]) -> bool:
    return any(finding.verdict is VerdictName.BLOCK for finding in findings)


def _read(judge: Judge, content: str) -> tuple[Sequence[PlainText], list[Finding]]:
    """A text's views, and what the rules found in them."""
    readings = views(content)
    return readings, judge.findings(readings)
