"""A part made anew in the background: without erased rows, freshly trained."""

import tempfile
import threading
from collections import deque
from pathlib import Path

import numpy as np
import structlog

from embedding.freed_memory import give_back
from memory_service.models.vectors import Part
from memory_service.providers.vectors.ivf import (
    BuildAborted,
    Ivf,
    Training,
    sample_slots,
)
from memory_service.providers.vectors.part import MAX_FLAT, PartVectors
from memory_service.providers.vectors.rows import VectorRows, decode
from memory_service.providers.vectors.slots import Slots

# From so many erased rows on, and such a share of all, they are left behind.
MIN_ERASED = 1000
MAX_ERASED_SHARE = 0.2
# Codes are trained anew when there are so many times more vectors than before.
GROWTH = 2.0
# Or when recent vectors are this much farther from their codes.
MAX_DRIFT = 1.15
# So many vectors since the training tell, and such a share of those before.
MIN_RECENT = 2000
MIN_RECENT_SHARE = 0.1
DRIFT_SAMPLE = 256
# What changed meanwhile is caught up with outside the gate down to so many rows.
FINISHING_ROWS = 500

GROWN = "grown"
ERASED_ROWS = "erased"
DRIFTED = "drifted"

log = structlog.get_logger()


class Build:
    """One part made anew; `run` in any thread, beside searches and changes."""

    def __init__(
        self, name: Part, part: PartVectors, reason: str, stem: Path | None
    ) -> None:
        self.name = name
        self.reason = reason
        self.source = part
        # Where compacted rows go; without erased ones the rows are shared.
        self._stem = stem
        self._compacts = part.rows.erased > 0 and reason == ERASED_ROWS
        self.begun = False
        self.failed = False
        self._made: PartVectors | None = None
        self._aborted = threading.Event()
        # How many of the source's rows have been copied, and their slots.
        self._done = 0
        self._origins: list[Slots] = []
        part.erased_meanwhile = deque()

    def run(self, threads: int = 1) -> None:
        """A minute for a million vectors; raises BuildAborted, OSError.

        Afterwards `AgentVectors.finish` takes it; one that failed may be let go of.
        """
        self.begun = True
        try:
            self._run(threads)
        except BaseException:
            self.failed = True
            self.source.erased_meanwhile = None
            self._discard()
            raise

    def abort(self) -> None:
        """Ends `run` within some seconds, from any thread."""
        self._aborted.set()

    def finish(self) -> PartVectors | None:
        """What was made, as the source is now; None where `run` did not end.

        No change may run beside.
        """
        if self._made:
            self._catch_up(self._made)
            self._made.refresh()
        self.source.erased_meanwhile = None
        return self._made

    def _discard(self) -> None:
        if self._compacts and self._stem:
            VectorRows(self._stem).discard()

    def _run(self, threads: int) -> None:
        rows = VectorRows(self._stem) if self._compacts else self.source.rows
        made = PartVectors(rows, None if self._compacts else self.source.table)
        end = self.source.rows.count
        if self._compacts:
            self._copy(made, end)
        self._done = end
        made.tried = len(made)
        if made.tried > MAX_FLAT:
            made.ivf = self._train(rows, rows.count if self._compacts else end, threads)
        while self.source.rows.count - self._done > FINISHING_ROWS:
            self._catch_up(made)
        # What training used, 80 MB.
        give_back()
        self._made = made

    def _train(self, rows: VectorRows, count: int, threads: int) -> Ivf | None:
        with tempfile.TemporaryDirectory(
            prefix="build-", dir=self._stem and self._stem.parent
        ) as folder:
            training = Training(rows, count, threads, self._aborted)
            ivf = training.run(Path(folder) / "codes")
        if ivf is None:
            log.warning("vectors are compared one by one: too few would be found")
        return ivf

    def _catch_up(self, made: PartVectors) -> None:
        end = self.source.rows.count
        self._copy(made, end)
        assert self.source.erased_meanwhile is not None
        later = []
        while self.source.erased_meanwhile:
            slots = self.source.erased_meanwhile.popleft()
            self._erase(made, slots[slots < end])
            later.append(slots[slots >= end])
        self.source.erased_meanwhile.extend(later)

    def _copy(self, made: PartVectors, end: int) -> None:
        for slots, seqs, codes in self.source.rows.chunks(self._done, end):
            if self._aborted.is_set():
                raise BuildAborted
            if self._compacts:
                made.add(seqs, codes)
                self._origins.append(slots)
            elif made.ivf:
                made.ivf.add(slots, decode(codes))
        self._done = end

    def _erase(self, made: PartVectors, slots: Slots) -> None:
        if self._compacts:
            origins = np.concatenate(self._origins)
            copies = np.flatnonzero(np.isin(origins, slots))
            made.remove(made.rows.seqs()[copies])
        elif made.ivf:
            made.ivf.remove(slots)


def reason_to_build(part: PartVectors) -> str | None:
    """Why a part should be made anew, if it should."""
    if part.rows.erased >= max(MIN_ERASED, MAX_ERASED_SHARE * part.rows.count):
        return ERASED_ROWS
    if len(part) > MAX_FLAT and len(part) >= GROWTH * part.tried:
        return GROWN
    return DRIFTED if _has_drifted(part) else None


def _has_drifted(part: PartVectors) -> bool:
    ivf = part.ivf
    if ivf is None:
        return False
    recent = part.rows.count - ivf.trained_rows
    if recent < max(MIN_RECENT, MIN_RECENT_SHARE * ivf.trained_rows):
        return False
    slots = sample_slots(part.rows, ivf.trained_rows, part.rows.count, DRIFT_SAMPLE)
    error = ivf.measure_error(decode(part.rows.codes(slots)))
    return error > MAX_DRIFT * ivf.error
