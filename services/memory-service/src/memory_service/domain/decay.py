"""How a memory fades that nobody uses.

Nothing is written for it: what a memory weighs follows from when it was last used, so
that every replica sees the same and pinning or recalling it brings it back at once.
"""

import math
from datetime import datetime, timedelta

from memory_service.models.memories import Memory

# Unused for so long, an episode matters half as much.
HALF_LIFE = timedelta(days=60)
# What was learnt stays; what was lived through fades.
LASTING_TYPES = frozenset({"semantic", "procedural"})


def effective_importance(memory: Memory, now: datetime) -> float:
    """From 0 to the memory's importance, by the half-life since it was last used.

    Pinned, semantic and procedural memories keep theirs.
    """
    if memory.pinned or memory.memory_type in LASTING_TYPES:
        return memory.importance
    unused = now - (memory.last_accessed_at or memory.created_at)
    return memory.importance * math.exp2(-max(unused / HALF_LIFE, 0.0))
