"""What the rules find and what they alarm falsely, on labelled texts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain.judge import Judge
from tests.support.safety_texts import Labelled

__all__ = [
    "Found",
    "blocked",
    "personal_scores",
    "secrets_cut_out",
    "secrets_suspected",
]

Span = tuple[int, int]


@dataclass
class Found:
    """How many of how many, and those that were missed."""

    of: int = 0
    missed: list[Labelled] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share that was found."""
        return 1 - len(self.missed) / self.of


def secrets_cut_out(judge: Judge, texts: Iterable[Labelled]) -> dict[bool, Found]:
    """Secrets of which nothing is left, of forms that were held apart and of others."""
    found = {False: Found(), True: Found()}
    for labelled in texts:
        group = found[labelled.held]
        group.of += 1
        if not _covers(_secrets(judge, labelled.text), labelled.span or (0, 0)):
            group.missed.append(labelled)
    return found


def secrets_suspected(judge: Judge, texts: Iterable[Labelled]) -> list[Labelled]:
    """Texts without a secret in which one is seen."""
    return [labelled for labelled in texts if _secrets(judge, labelled.text)]


def _secrets(judge: Judge, text: str) -> list[Span]:
    return [
        finding.span
        for finding in judge.judge(text).findings
        if finding.category is CategoryName.SECRETS and finding.span is not None
    ]


def _covers(spans: Iterable[Span], whole: Span) -> bool:
    reached = whole[0]
    for start, end in sorted(spans):
        if start <= reached:
            reached = max(reached, end)
    return reached >= whole[1]


def personal_scores(judge: Judge, texts: Sequence[Labelled]) -> Mapping[str, float]:
    """F1 by kind; a span counts only when it is exactly right."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for labelled in texts:
        wanted = {(labelled.kind, labelled.span)} if labelled.span else set()
        seen = {
            (finding.rule.removeprefix("pii."), finding.span)
            for finding in judge.judge(labelled.text).findings
            if finding.rule.startswith("pii.")
        }
        right.update(kind for kind, _ in wanted & seen)
        wrong.update(kind for kind, _ in wanted ^ seen)
    return {
        kind: 2 * right[kind] / (2 * right[kind] + wrong[kind])
        for kind in right.keys() | wrong.keys()
    }


def blocked(judge: Judge, texts: Iterable[str]) -> list[str]:
    """The texts that the rules refuse."""
    return [text for text in texts if judge.judge(text).verdict is VerdictName.BLOCK]
