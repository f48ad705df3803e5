"""Where a memory's vector is, by the memory's number."""

import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Seqs

Slots = NDArray[np.int64]

# Numbers that share a block; an agent's living numbers are dense but for old ones.
BLOCK = 1024
NOWHERE = -1


class SlotTable:
    """Numbers → slots in four bytes each, block by block of numbers."""

    def __init__(self) -> None:
        # Block 0 stays empty: it stands for all numbers never set.
        self._blocks = np.zeros((1, BLOCK), dtype=np.uint32)
        self._used = 1
        self._directory = np.zeros(1, dtype=np.int32)

    @property
    def size_bytes(self) -> int:
        """What it takes of memory."""
        return self._blocks.nbytes + self._directory.nbytes

    def find(self, seqs: Seqs) -> Slots:
        """The slot of each number, or NOWHERE."""
        pages = seqs // BLOCK
        known = (pages >= 0) & (pages < len(self._directory))
        blocks = self._directory[np.where(known, pages, 0)]
        slots = self._blocks[blocks, seqs % BLOCK].astype(np.int64) - 1
        slots[~known] = NOWHERE
        return slots

    def put(self, seqs: Seqs, slots: Slots) -> None:
        """Notes slots, below 2**32 - 1; of a number given twice the last."""
        if len(seqs) == 0:
            return
        pages = seqs // BLOCK
        self._reach(int(pages.max()))
        fresh = np.unique(pages[self._directory[pages] == 0])
        self._add_blocks(fresh)
        self._blocks[self._directory[pages], seqs % BLOCK] = slots + 1

    def drop(self, seqs: Seqs) -> None:
        """Forgets numbers that it has."""
        self._blocks[self._directory[seqs // BLOCK], seqs % BLOCK] = 0

    def _reach(self, page: int) -> None:
        if page >= len(self._directory):
            size = max(page + 1, len(self._directory) * 5 // 4)
            grown = np.zeros(size, dtype=np.int32)
            grown[: len(self._directory)] = self._directory
            self._directory = grown

    def _add_blocks(self, pages: NDArray[np.int64]) -> None:
        used = self._used + len(pages)
        if used > len(self._blocks):
            grown = np.zeros((max(used, used * 9 // 8), BLOCK), dtype=np.uint32)
            grown[: self._used] = self._blocks[: self._used]
            self._blocks = grown
        self._directory[pages] = np.arange(self._used, used)
        self._used = used
