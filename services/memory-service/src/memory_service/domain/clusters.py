"""Groups of similar memories, found in one pass in bounded memory.

Greedy leader clustering (Hartigan, Clustering Algorithms, 1975): a memory joins the
group whose first memory is nearest to it, or begins one. The cosines are exact and the
order is that of the memories, so equal memories always make equal groups. Groups that
are complete do not bear upon the others: a pass that was cut off may begin anew with
what it left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Seqs

# The cosine from which two memories are about the same. On LoCoMo's five development
# conversations nine turns in ten find a group at 0.5 and half of them at 0.7; below
# 0.6 the groups hold what merely sounds alike.
MIN_COSINE = 0.6
# Of fewer nothing is learnt that each does not say by itself.
MIN_SOURCES = 3
# More do not fit into what is said of them; the next like them begin another group.
MAX_SOURCES = 24
# Groups that stay open; the oldest makes room. At 384 dimensions they take 12.6 MB,
# and 1,000,000 memories some 6e12 multiplications.
MAX_OPEN_GROUPS = 8192
# Memories compared at once: another 5 MB.
BLOCK = 128

# Below every cosine: of another user, or no group at all.
_NEVER = np.float32(-2)
# No user hashes to it.
_FREE = -1

Vectors = NDArray[np.float32]
Hashes = NDArray[np.int64]
Group = list[int]


@dataclass(slots=True)
class _Open:
    """The open groups by their slots."""

    leaders: Vectors
    scopes: Hashes
    members: dict[int, Group] = field(default_factory=dict)


class Clusters:
    """Takes memories in order, gives complete groups of their numbers back."""

    def __init__(self, dimension: int, max_open: int = MAX_OPEN_GROUPS) -> None:
        self._max_open = max_open
        self._open = _Open(
            np.zeros((max_open + BLOCK, dimension), dtype=np.float32),
            np.full(max_open + BLOCK, _FREE, dtype=np.int64),
        )

    def take(
        self, seqs: Seqs, users: Sequence[str | None], vectors: Vectors
    ) -> list[Group]:
        """Puts memories into groups; those that are complete by now.

        `vectors` are unit vectors, a row for each number. Memories of users whose
        names hash differently never meet.
        """
        complete: list[Group] = []
        for start in range(0, len(seqs), BLOCK):
            end = start + BLOCK
            complete += self._make_room()
            complete += self._take_block(
                seqs[start:end].tolist(),
                np.array(list(map(hash, users[start:end])), dtype=np.int64),
                vectors[start:end],
            )
        return complete

    def finish(self) -> list[Group]:
        """What is left, once there are no more memories."""
        left = list(self._open.members.values())
        self._open.members.clear()
        self._open.scopes[:] = _FREE
        return [group for group in left if len(group) >= MIN_SOURCES]

    def _make_room(self) -> list[Group]:
        """Closes the oldest groups, so that a block may begin one for each memory."""
        members = self._open.members
        oldest = list(members)[: max(len(members) - self._max_open, 0)]
        closed = [self._close(slot) for slot in oldest]
        return [group for group in closed if len(group) >= MIN_SOURCES]

    def _close(self, slot: int) -> Group:
        self._open.scopes[slot] = _FREE
        return self._open.members.pop(slot)

    def _take_block(
        self, seqs: list[int], scopes: Hashes, vectors: Vectors
    ) -> list[Group]:
        free = iter(np.flatnonzero(self._open.scopes == _FREE).tolist())
        cosines = self._compare(scopes, vectors)
        within = _masked(vectors @ vectors.T, scopes, scopes)
        complete: list[Group] = []
        for row, seq in enumerate(seqs):
            slot = int(cosines[row].argmax())
            if cosines[row, slot] < MIN_COSINE:
                slot = next(free)
                self._open.leaders[slot] = vectors[row]
                self._open.scopes[slot] = scopes[row]
                self._open.members[slot] = [seq]
                cosines[row + 1 :, slot] = within[row + 1 :, row]
                continue
            self._open.members[slot].append(seq)
            if len(self._open.members[slot]) == MAX_SOURCES:
                complete.append(self._close(slot))
                cosines[row + 1 :, slot] = _NEVER
        return complete

    def _compare(self, scopes: Hashes, vectors: Vectors) -> Vectors:
        """The cosine of each row with each slot that may be used in this block."""
        used = max(self._open.members, default=-1) + 1 + len(vectors)
        used = min(used, len(self._open.scopes))
        cosines = vectors @ self._open.leaders[:used].T
        return _masked(cosines, scopes, self._open.scopes[:used])


def _masked(cosines: Vectors, rows: Hashes, columns: Hashes) -> Vectors:
    cosines[rows[:, None] != columns[None, :]] = _NEVER
    return cosines
