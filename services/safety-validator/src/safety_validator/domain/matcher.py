"""The anchors of all rules in one Hyperscan database: one pass, linear in the text."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

import hyperscan

from safety_validator.errors import PolicyRefused
from safety_validator.models import Rule

__all__ = ["Matcher"]

# A rule's number and its anchor.
_Expression = tuple[int, Rule, str]


def _flags(rule: Rule) -> int:
    caseless = hyperscan.HS_FLAG_CASELESS if rule.caseless else 0
    return hyperscan.HS_FLAG_UTF8 | caseless


def _compile(expressions: Sequence[_Expression]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[anchor.encode() for _, _, anchor in expressions],
        ids=[number for number, _, _ in expressions],
        flags=[_flags(rule) for _, rule, _ in expressions],
    )
    return database


class Matcher:
    """Says which rules are worth a closer look, and where; may be used by threads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        expressions = [
            (number, rule, anchor)
            for number, rule in enumerate(rules)
            for anchor in rule.anchors
        ]
        try:
            self._database = _compile(expressions)
        except hyperscan.error as error:
            raise _named(expressions) from error
        self._local = threading.local()

    def places(self, text: str) -> Mapping[int, list[int]]:
        """By rule number, where in the text an anchor of it ends, in order."""
        data = text.encode("utf-8", "replace")
        ends: defaultdict[int, list[int]] = defaultdict(list)

        def note(number: int, _from: int, end: int, _flags: int, _: object) -> None:
            ends[number].append(end)

        self._database.scan(data, match_event_handler=note, scratch=self._scratch())
        return ends if len(data) == len(text) else _in_characters(data, ends)

    def _scratch(self) -> hyperscan.Scratch:
        scratch: hyperscan.Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch


def _in_characters(
    data: bytes, ends: Mapping[int, list[int]]
) -> Mapping[int, list[int]]:
    characters: dict[int, int] = {}
    before = count = 0
    for offset in sorted({end for places in ends.values() for end in places}):
        count += len(data[before:offset].decode())
        characters[offset] = count
        before = offset
    return {
        number: [characters[end] for end in places] for number, places in ends.items()
    }


def _named(expressions: Sequence[_Expression]) -> PolicyRefused:
    """The first anchor that does not compile by itself."""
    for expression in expressions:
        try:
            _compile([expression])
        except hyperscan.error as error:
            _, rule, anchor = expression
            return PolicyRefused(f"rule {rule.id}: {error} in anchor {anchor!r}")
    return PolicyRefused("the anchors together are too large")
