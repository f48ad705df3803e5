"""All patterns of a policy in one Hyperscan database: one pass, linear in the text."""

import threading
from collections.abc import Sequence

import hyperscan

from safety_validator.errors import PolicyRefused
from safety_validator.models import Rule

__all__ = ["Hit", "Matcher"]

# A rule's number and a span in characters.
Hit = tuple[int, int, int]

_FLAGS = hyperscan.HS_FLAG_UTF8


def _flags(rule: Rule) -> int:
    return _FLAGS | (hyperscan.HS_FLAG_CASELESS if rule.caseless else 0)


def _compile(expressions: Sequence[tuple[int, Rule, str]]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.encode() for _, _, pattern in expressions],
        ids=[number for number, _, _ in expressions],
        flags=[_flags(rule) for _, rule, _ in expressions],
    )
    return database


class Matcher:
    """Finds where the patterns of rules begin to apply; may be used by threads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        expressions = [
            (number, rule, pattern)
            for number, rule in enumerate(rules)
            for pattern in rule.patterns
        ]
        try:
            self._database = _compile(expressions)
        except hyperscan.error as error:
            raise _named(expressions) from error
        self._local = threading.local()

    def find(self, text: str) -> list[Hit]:
        """The longest match of each rule at each place, by place."""
        data = text.encode()
        ends: dict[tuple[int, int], int] = {}

        def note(rule: int, start: int, end: int, _flags: int, _: object) -> None:
            # Matches at one place are told in the order of their ends.
            ends[start, rule] = end

        self._database.scan(data, match_event_handler=note, scratch=self._scratch())
        hits = sorted((start, rule, end) for (start, rule), end in ends.items())
        if hits and len(data) != len(text):
            return _in_characters(data, hits)
        return [(rule, start, end) for start, rule, end in hits]

    def _scratch(self) -> hyperscan.Scratch:
        scratch: hyperscan.Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch


def _in_characters(data: bytes, hits: list[tuple[int, int, int]]) -> list[Hit]:
    offsets = sorted({offset for start, _, end in hits for offset in (start, end)})
    characters: dict[int, int] = {}
    before = count = 0
    for offset in offsets:
        count += len(data[before:offset].decode())
        characters[offset] = count
        before = offset
    return [(rule, characters[start], characters[end]) for start, rule, end in hits]


def _named(expressions: Sequence[tuple[int, Rule, str]]) -> PolicyRefused:
    """The first pattern that does not compile by itself."""
    for expression in expressions:
        try:
            _compile([expression])
        except hyperscan.error as error:
            _, rule, pattern = expression
            return PolicyRefused(f"rule {rule.id}: {error} in pattern {pattern!r}")
    return PolicyRefused("the patterns together are too large")
