"""Expressions whose search would never end on some texts.

`re` tries every way to share a text between repetitions. One within another, with
nothing fixed between them, has ways beyond counting: `(a+)+`, `(\\w+\\s*)*`. Others
take a power of the text's length, which the judge bounds: it searches regions.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

__all__ = ["runs_away"]

# What the interpreter itself reads expressions with; its types are nobody's promise.
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

# As many repetitions within as many have ways that can still be counted.
_FEW = 9
# A new text of a policy has most expressions of the one before.
_KEPT = 1_024
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)

# What the parser of `re` makes of a sequence: pairs of a code and its arguments.
_Sequence = Any
_Item = tuple[Any, Any]


@lru_cache(maxsize=_KEPT)
def runs_away(expression: re.Pattern[str]) -> bool:
    """Whether it repeats a repetition with nothing fixed between the rounds."""
    tree = parser.parse(expression.pattern, expression.flags)
    return any(
        _many(item) and any(map(_loose, _branches(item[1][2]))) for item in _items(tree)
    )


def _many(item: _Item) -> bool:
    """Whether the item is a repetition of an open, large number of rounds."""
    code, arguments = item
    return code in _REPEATS and arguments[1] > max(_FEW, arguments[0])


def _loose(sequence: _Sequence) -> bool:
    """Whether it repeats something, and at most that has to be there."""
    needed = [item for item in sequence if _needed(item)]
    return any(map(_many, sequence)) and (
        not needed or (len(needed) == 1 and _many(needed[0]))
    )


def _needed(item: _Item) -> bool:
    """Whether no text without a character is such an item."""
    shortest: int = parser.SubPattern(parser.State(), [item]).getwidth()[0]
    return shortest > 0


def _branches(sequence: _Sequence) -> Iterator[_Sequence]:
    """The ways through a sequence that is no more than a group or a choice."""
    if len(sequence) == 1:
        for inner in _inner(sequence[0]):
            yield from _branches(inner)
    yield sequence


def _items(sequence: _Sequence) -> Iterator[_Item]:
    """Every item of the tree."""
    for item in sequence:
        yield item
        for inner in _inner(item):
            yield from _items(inner)


def _inner(item: _Item) -> list[_Sequence]:
    code, arguments = item
    if code in _REPEATS:
        return [arguments[2]]
    if code is codes.BRANCH:
        return list(arguments[1])
    if code in (codes.SUBPATTERN, codes.ASSERT, codes.ASSERT_NOT):
        return [arguments[-1]]
    return []
