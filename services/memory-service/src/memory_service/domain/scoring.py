"""How two arms' findings become one order.

Both arms score on fixed scales, cosine and share of the query's words weighed by
rarity, so a hybrid score means the same for every query. On LoCoMo's five development
conversations the fixed sum finds as much as a sum of z-scores (R@10 0.69 both), which
has no scale that a minimum score could refer to.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from memory_service.models import Memory, Recalled, Scores

SEMANTIC_SHARE = 0.45
KEYWORD_SHARE = 0.55
# Enough to order what is else equal.
RECENCY_SHARE = 0.002
IMPORTANCE_SHARE = 0.002
# After so long a memory is half as recent.
HALF_LIFE = timedelta(days=30)

# Cosine and share of words; None where that arm did not look.
Parts = tuple[float | None, float | None]


def join_arms(
    mode: str, semantic: Mapping[int, float], keyword: Mapping[int, float]
) -> dict[int, tuple[float, Parts]]:
    """Candidates by number, best first: what they answer to the query itself."""
    joined = {}
    for seq in (*semantic, *(s for s in keyword if s not in semantic)):
        cosine, words = semantic.get(seq), keyword.get(seq)
        joined[seq] = (_weigh(mode, cosine or 0.0, words or 0.0), (cosine, words))
    order = sorted(joined, key=lambda seq: (-joined[seq][0], -seq))
    return {seq: joined[seq] for seq in order}


def finish(memory: Memory, relevance: float, parts: Parts, now: datetime) -> Recalled:
    """The memory with its score."""
    recency = _recency(now - memory.timestamp)
    score = relevance + RECENCY_SHARE * recency + IMPORTANCE_SHARE * memory.importance
    return Recalled(memory, score, Scores(*parts, recency, memory.importance))


def _weigh(mode: str, cosine: float, words: float) -> float:
    if mode == "semantic":
        return cosine
    if mode == "keyword":
        return words
    return SEMANTIC_SHARE * cosine + KEYWORD_SHARE * words


def _recency(age: timedelta) -> float:
    return math.exp2(-max(age / HALF_LIFE, 0.0))
