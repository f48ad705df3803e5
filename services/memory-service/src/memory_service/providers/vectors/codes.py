"""Codes in a file, searched where they lie: of a million 2 MB are in memory, not 58.

FAISS maps lists of other kinds; FastScan's it would copy. So the file is written here,
as FAISS lays lists out on disk: each in whole blocks of codes, then their slots. The
index without entries follows, as FAISS writes it, then how long each list is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Vector
from memory_service.providers.vectors.growing import Bytes
from memory_service.providers.vectors.slots import Slots

CODE_BYTES = 48
# FastScan compares so many codes at once.
BLOCK_CODES = 32
BLOCK_BYTES = BLOCK_CODES * CODE_BYTES
NO_SLOT = -1

Head = NDArray[np.uint8]
Likeness = NDArray[np.float32]


class Cells(NamedTuple):
    """Numbers of cells, and how like a vector their centres are, best first."""

    numbers: NDArray[np.int64]
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class CodesList:
    """Codes of one cell: blocks of shape (blocks, BLOCK_BYTES), the last one perhaps
    not full, and a slot for each code."""

    blocks: Bytes
    slots: Slots


class MappedCodes:
    """What `write_codes` wrote. Searches may run side by side, but not beside `drop`.

    The file may be removed meanwhile, but for nothing else changed.
    """

    # FAISS' stubs know the C++ signatures, not those of its Python: Any here.

    def __init__(self, path: Path) -> None:
        file = np.memmap(path, np.uint8, "r")
        cells, head_bytes = file[-16:].view("<i8").tolist()
        ends = len(file) - 16 - 8 * cells
        sizes = file[ends:-16].view("<i8")
        # It stays in the file.
        self.head: Head = file[ends - head_bytes : ends]
        self._lists = _map(path, len(file), sizes)
        self._index = read_empty(self.head)
        self._index.replace_invlists(self._lists, False)
        self._index.ntotal = int(sizes.sum())
        self._living = self._find_living()
        self._dropped = 0

    def __len__(self) -> int:
        return int(self._index.ntotal) - self._dropped

    def search(
        self, vector: Vector, limit: int, cells: Cells, only: Bytes | None
    ) -> tuple[Likeness, Slots]:
        """Slots that `only` has a bit for, as FAISS returns them, and how like."""
        if only is None and self._dropped:
            only = self._living
        return search_codes(self._index, vector, limit, cells, only)

    def drop(self, slots: Slots) -> int:
        """Finds these no more; how many there were."""
        slots = np.unique(slots[slots < 8 * len(self._living)])
        bits = np.left_shift(1, slots & 7).astype(np.uint8)
        held = (self._living[slots >> 3] & bits) != 0
        np.bitwise_and.at(self._living, slots[held] >> 3, ~bits[held])
        count = int(np.count_nonzero(held))
        self._dropped += count
        return count

    def merged(self, index: Any) -> Iterator[CodesList]:
        """What is left of its lists, each with what `index` has for the same cell."""
        lists: Any = faiss.downcast_InvertedLists(index.invlists)
        mine = _lists_of(self._lists)
        for own, further in zip(mine, lists_of(index), strict=True):
            alive = (self._living[own.slots >> 3] >> (own.slots & 7) & 1) != 0
            if len(further.slots) or not alive.all():
                yield _merge(lists.packer, own, alive, further)
            else:
                yield own

    def _find_living(self) -> Bytes:
        held = [each.slots for each in _lists_of(self._lists)]
        slots = np.concatenate([np.empty(0, dtype=np.int64), *held])
        living = np.zeros(int(slots.max(initial=NO_SLOT)) + 1, dtype=bool)
        living[slots] = True
        return np.packbits(living, bitorder="little")


def write_codes(path: Path, head: Head, lists: Iterable[CodesList]) -> None:
    """Into a file, not yet synced; OSError."""
    sizes = []
    with path.open("wb") as file:
        for each in lists:
            slots = np.full(len(each.blocks) * BLOCK_CODES, NO_SLOT, dtype="<i8")
            slots[: len(each.slots)] = each.slots
            file.write(each.blocks.tobytes())
            file.write(slots.tobytes())
            sizes.append(len(each.slots))
        file.write(head.tobytes())
        file.write(np.array([*sizes, len(sizes), len(head)], dtype="<i8").tobytes())


def read_empty(head: Head) -> Any:
    """An index that was trained and has no entries."""
    return faiss.deserialize_index(np.array(head))


def lists_of(index: Any) -> Iterator[CodesList]:
    """What an index in memory has, cell by cell: no copies."""
    return _lists_of(faiss.downcast_InvertedLists(index.invlists))


def near_cells(index: Any, vector: Vector, reach: float, most: int) -> Cells:
    """Cells whose centres have at least the best one's cosine less `reach`."""
    likeness, numbers = index.quantizer.search(vector[np.newaxis], most)
    count = np.count_nonzero(likeness[0] >= likeness[0, 0] - reach)
    return Cells(numbers[0, :count], likeness[0, :count])


def search_codes(
    index: Any, vector: Vector, limit: int, cells: Cells, only: Bytes | None
) -> tuple[Likeness, Slots]:
    """The same from an index in memory."""
    make: Any = faiss.SearchParametersIVF
    bitmap: Any = faiss.IDSelectorBitmap
    selected = {} if only is None else {"sel": bitmap(only)}
    vector = np.ascontiguousarray(vector, dtype=np.float32)
    likeness = np.empty(limit, dtype=np.float32)
    slots = np.empty(limit, dtype=np.int64)
    # Its form for arrays takes no parameters.
    index.search_preassigned_c(
        1,
        faiss.swig_ptr(vector),
        limit,
        faiss.swig_ptr(cells.numbers),
        faiss.swig_ptr(cells.likeness),
        faiss.swig_ptr(likeness),
        faiss.swig_ptr(slots),
        False,
        make(nprobe=len(cells.numbers), **selected),
    )
    return likeness, slots


def _map(path: Path, size: int, sizes: NDArray[np.int64]) -> Any:
    lists: Any = faiss.OnDiskInvertedLists()
    lists.nlist, lists.code_size = len(sizes), CODE_BYTES
    lists.filename, lists.totsize, lists.read_only = str(path), size, True
    # It would begin threads for every search.
    lists.prefetch_nthread = 0
    offset = 0
    for count in sizes.tolist():
        one = faiss.OnDiskOneList()
        one.size, one.offset = count, offset
        one.capacity = -(-count // BLOCK_CODES) * BLOCK_CODES
        lists.lists.push_back(one)
        offset += one.capacity * (CODE_BYTES + 8)
    lists.do_mmap()
    return lists


def _lists_of(lists: Any) -> Iterator[CodesList]:
    for cell in range(lists.nlist):
        count = lists.list_size(cell)
        if count == 0:
            yield CodesList(np.empty((0, BLOCK_BYTES), np.uint8), np.empty(0, np.int64))
            continue
        blocks = -(-count // BLOCK_CODES)
        codes = faiss.rev_swig_ptr(lists.get_codes(cell), blocks * BLOCK_BYTES)
        slots = faiss.rev_swig_ptr(lists.get_ids(cell), count)
        yield CodesList(codes.reshape(blocks, BLOCK_BYTES), slots)


def _merge(
    packer: Any, own: CodesList, alive: NDArray[np.bool_], further: CodesList
) -> CodesList:
    """Blocks that stay as they are, then those that are packed anew."""
    first = int(alive.argmin()) if not alive.all() else len(alive)
    whole = first // BLOCK_CODES
    same = whole * BLOCK_CODES
    left = _unpack(packer, own.blocks[whole:])[: len(own.slots) - same][alive[same:]]
    new = _unpack(packer, further.blocks)[: len(further.slots)]
    packed = _pack(packer, np.concatenate([left, new]))
    return CodesList(
        np.concatenate([own.blocks[:whole], packed]),
        np.concatenate([own.slots[alive], further.slots]),
    )


def _unpack(packer: Any, blocks: Bytes) -> Bytes:
    codes = np.empty((len(blocks), BLOCK_CODES, CODE_BYTES), dtype=np.uint8)
    for block, some in zip(np.ascontiguousarray(blocks), codes, strict=True):
        packer.unpack_all(faiss.swig_ptr(block), faiss.swig_ptr(some))
    return codes.reshape(-1, CODE_BYTES)


def _pack(packer: Any, codes: Bytes) -> Bytes:
    blocks = np.zeros((-(-len(codes) // BLOCK_CODES), BLOCK_BYTES), dtype=np.uint8)
    padded = np.zeros((len(blocks) * BLOCK_CODES, CODE_BYTES), dtype=np.uint8)
    padded[: len(codes)] = codes
    for place, block in enumerate(blocks):
        some = padded[place * BLOCK_CODES :]
        packer.pack_all(faiss.swig_ptr(some), faiss.swig_ptr(block))
    return blocks
