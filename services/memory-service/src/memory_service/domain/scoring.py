"""How two arms' findings become one order, and how far it can be trusted.

Both arms score on fixed scales, cosine and share of the query's words weighed by
rarity, so a hybrid score means the same for every query. On LoCoMo's five development
conversations the sum finds R@10 0.77, R@25 0.84 of the evidence of a question, where
one arm alone finds 0.53 and 0.72; with the shares and the context of turns chosen on
four conversations it finds 0.77, 0.84 on the fifth. Shares of 0.4 to 0.55 do as well.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from memory_service.domain.decay import effective_importance
from memory_service.models.memories import Memory
from memory_service.models.recall import Recalled, Scores

SEMANTIC_SHARE = 0.5
KEYWORD_SHARE = 0.5
# Enough to order what is else equal. The median gap between the tenth and the eleventh
# of LoCoMo's answers is 0.005: larger shares reorder what the query itself tells apart,
# and its questions ask for old turns as often as for new ones.
RECENCY_SHARE = 0.002
IMPORTANCE_SHARE = 0.002
# After so long a memory is half as recent.
HALF_LIFE = timedelta(days=30)

# By mode, slope and middle of the logistic that tells a LoCoMo question asked of its
# own conversation from one asked of another, by the best relevance (areas under the
# curve 0.985, 0.988 and 0.948). It does not tell a question whose answer was never said
# from one that was answered, where both are about what was talked of (0.53).
CONFIDENCE = {
    "hybrid": (27.3, 0.375),
    "semantic": (37.6, 0.487),
    "keyword": (13.1, 0.364),
}

# Cosine and share of words; None where that arm did not look.
Parts = tuple[float | None, float | None]


def shares(mode: str) -> tuple[float, float]:
    """What a cosine and the share of words count."""
    if mode == "semantic":
        return 1.0, 0.0
    if mode == "keyword":
        return 0.0, 1.0
    return SEMANTIC_SHARE, KEYWORD_SHARE


def best_candidates(
    mode: str,
    semantic: Mapping[int, float],
    keyword: Mapping[int, float],
    limit: int,
    most: int,
    unknown: float,
) -> list[int]:
    """Numbers of memories, best first by what is known before they are read.

    The best `limit`, and up to `most` of those that may yet be among them: to the share
    of words of each there may be `unknown` to add.
    """
    by_meaning, by_words = shares(mode)
    scores = {
        seq: by_meaning * semantic.get(seq, 0.0) + by_words * keyword.get(seq, 0.0)
        for seq in semantic.keys() | keyword.keys()
    }
    order = sorted(scores, key=lambda seq: (-scores[seq], -seq))
    if len(order) <= limit or not unknown:
        return order[:limit]
    floor = scores[order[limit - 1]] - by_words * unknown
    return [seq for seq in order[:most] if scores[seq] >= floor]


def weigh(mode: str, parts: Parts) -> float:
    """What a memory answers to the query itself."""
    by_meaning, by_words = shares(mode)
    cosine, words = parts
    return by_meaning * (cosine or 0.0) + by_words * (words or 0.0)


def finish(memory: Memory, mode: str, parts: Parts, now: datetime) -> Recalled:
    """The memory with its score."""
    recency = _recency(now - memory.timestamp)
    importance = effective_importance(memory, now)
    score = weigh(mode, parts) + RECENCY_SHARE * recency + IMPORTANCE_SHARE * importance
    return Recalled(memory, score, Scores(*parts, recency, importance))


def confidence(mode: str, relevance: float) -> float:
    """How likely the memories are about what was asked, by the best one's relevance."""
    slope, middle = CONFIDENCE[mode]
    return 1 / (1 + math.exp(-slope * (relevance - middle)))


def _recency(age: timedelta) -> float:
    return math.exp2(-max(age / HALF_LIFE, 0.0))
