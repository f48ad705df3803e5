"""One agent's vectors, in parts that do not crowd one another out."""

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
import structlog
from numpy.typing import NDArray

from memory_service.models.vectors import Change, Part, Seqs, Vector
from memory_service.providers.vectors.builds import Build as Build
from memory_service.providers.vectors.builds import reason_to_build
from memory_service.providers.vectors.growing import Bytes
from memory_service.providers.vectors.ivf import BuildAborted as BuildAborted
from memory_service.providers.vectors.manifest import (
    Manifest,
    SnapshotUnfit,
    read_manifest,
    remove_manifest,
    write_manifest,
)
from memory_service.providers.vectors.part import PartVectors, best_of
from memory_service.providers.vectors.rows import ROW_BYTES, VectorRows
from memory_service.providers.vectors.snapshots import (
    CapturedPart,
    WrittenCodes,
    capture_part,
    new_stem,
    read_parts,
    sweep,
)

ALL_PARTS = frozenset(Part)
_NO_PART = -1

log = structlog.get_logger()


class Restored(NamedTuple):
    """Vectors as a snapshot had them, which holds the changes up to `seq`."""

    vectors: "AgentVectors"
    seq: int
    timeline: str


class AgentVectors:
    """Searches may run side by side, but not beside a change.

    A change is `apply` or `finish`. What it has outlives the process only by a
    snapshot, and only in a folder, which is its own: one process has it at a time.
    """

    def __init__(self, agent_id: str, model: str, folder: Path | None = None) -> None:
        self._agent_id = agent_id
        self._model = model
        self._folder = folder
        self._parts = {part: PartVectors(self._make_rows(part)) for part in Part}
        self._codes: dict[Part, WrittenCodes] = {}
        self._build: Build | None = None
        # Whoever has it may replace the manifest or remove what it names.
        self._naming = threading.Lock()

    @classmethod
    def restore(cls, agent_id: str, model: str, folder: Path) -> Restored | None:
        """What the folder has, if it is whole and of this agent and model."""
        try:
            return cls._restore(agent_id, model, folder)
        # FAISS raises RuntimeError; a manifest may be any JSON.
        except (
            SnapshotUnfit,
            OSError,
            RuntimeError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
        ) as error:
            log.warning("snapshot refused", reason=repr(error))
            return None

    @classmethod
    def _restore(cls, agent_id: str, model: str, folder: Path) -> Restored | None:
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        if (manifest.agent_id, manifest.model) != (agent_id, model):
            raise SnapshotUnfit("another agent or model")
        faiss.omp_set_num_threads(1)
        vectors = cls(agent_id, model, folder)
        parts, vectors._codes = read_parts(folder, manifest)
        vectors._parts |= parts
        sweep(folder, manifest)
        return Restored(vectors, manifest.seq, manifest.timeline)

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    @property
    def kind(self) -> str:
        """How its largest part is searched."""
        return max(self._parts.values(), key=len).kind

    @property
    def private_bytes(self) -> int:
        """About what it takes of memory that no file backs."""
        return sum(part.private_bytes for part in self._parts.values())

    def apply(self, changes: Sequence[Change]) -> None:
        """Adds, replaces and removes, as the changes say; the last of each memory.

        Raises OSError where there is no room, and can then be called again.
        """
        faiss.omp_set_num_threads(1)
        newest = {change.memory_seq: change for change in changes}
        seqs = np.array(list(newest), dtype=np.int64)
        wanted, codes = _wanted(list(newest.values()))
        same = np.zeros(len(seqs), dtype=bool)
        for place, part in enumerate(self._parts.values()):
            slots = part.table.find(seqs)
            here = np.flatnonzero(slots >= 0)
            equal = (part.rows.codes(slots[here]) == codes[here]).all(axis=1)
            same[here] = equal & (wanted[here] == place)
            if np.any(gone := ~same[here]):
                part.remove(seqs[here[gone]])
        for place, part in enumerate(self._parts.values()):
            if np.any(fresh := (wanted == place) & ~same):
                part.add(seqs[fresh], codes[fresh])

    def search(
        self,
        vector: Vector,
        limit: int,
        *,
        parts: Collection[Part] = ALL_PARTS,
        within: Seqs | None = None,
    ) -> dict[int, float]:
        """The cosines of the nearest memories, of the parts and numbers chosen.

        Best first, and as many as `limit` wherever there are as many.
        """
        faiss.omp_set_num_threads(1)
        found = [
            part.search(vector, limit, within)
            for name, part in self._parts.items()
            if name in parts and len(part)
        ]
        seqs, cosines = best_of(found, limit)
        return dict(zip(seqs.tolist(), cosines.tolist(), strict=True))

    def scores(self, vector: Vector, seqs: Sequence[int]) -> dict[int, float]:
        """The cosines of those memories that the index holds, of whatever part."""
        wanted = np.array(seqs, dtype=np.int64)
        found: dict[int, float] = {}
        for part in self._parts.values():
            here, cosines = part.scores(vector, wanted)
            found |= zip(here.tolist(), cosines.tolist(), strict=True)
        return found

    def due(self) -> Build | None:
        """A part that should be made anew, if any; one at a time.

        Vectors that are loaded from nothing are best all there before it is asked.
        """
        if self._build and not self._build.failed:
            return None if self._build.begun else self._build
        for name, part in self._parts.items():
            if reason := reason_to_build(part):
                stem = self._folder and new_stem(self._folder, name)
                self._build = Build(name, part, reason, stem)
                return self._build
        return None

    def finish(self, build: Build) -> None:
        """Puts in place what the build made, with what changed meanwhile."""
        faiss.omp_set_num_threads(1)
        self._build = None
        made = build.finish()
        if made is None:
            return
        self._parts[build.name] = made
        if made.rows is not build.source.rows:
            with self._naming:
                # The snapshot has rows that will not be erased there any more.
                if self._folder:
                    remove_manifest(self._folder)
                build.source.rows.discard()

    def capture(self, seq: int, timeline: str) -> "Snapshot":
        """A snapshot of the changes up to `seq`; not beside a change; OSError."""
        if self._folder is None:
            raise OSError("there is no folder")
        parts = {
            name: capture_part(self._folder, part, self._codes.get(name))
            for name, part in self._parts.items()
            if part.rows.count
        }
        return Snapshot(self, self._folder, seq, timeline, parts)

    def discard(self) -> None:
        """Makes the snapshot on disk one that nobody restores; OSError."""
        with self._naming:
            if self._folder:
                remove_manifest(self._folder)

    def commit(self, parts: dict[Part, CapturedPart], seq: int, timeline: str) -> None:
        """Names what was written; OSError, and then the snapshot before stays."""
        saved = {name: part.describe() for name, part in parts.items()}
        manifest = Manifest(self._agent_id, self._model, seq, timeline, saved)
        with self._naming:
            if any(self._parts[n].rows is not p.rows for n, p in parts.items()):
                raise OSError("a part was made anew meanwhile")
            assert self._folder is not None
            write_manifest(self._folder, manifest)
            before = self._codes
            self._codes = {n: p.codes for n, p in parts.items() if p.codes}
            for name in _names(before) - _names(self._codes):
                (self._folder / name).unlink(missing_ok=True)

    def _make_rows(self, part: Part) -> VectorRows:
        return VectorRows(self._folder and new_stem(self._folder, part))


class Snapshot:
    """What a restart needs of the vectors as they were when it was taken."""

    def __init__(
        self,
        vectors: AgentVectors,
        folder: Path,
        seq: int,
        timeline: str,
        parts: dict[Part, CapturedPart],
    ) -> None:
        self._vectors = vectors
        self._folder = folder
        self._seq = seq
        self._timeline = timeline
        self._parts = parts

    def write(self) -> None:
        """In any thread, once; raises OSError, and then the snapshot before stays."""
        try:
            saved = {n: part.save(self._folder) for n, part in self._parts.items()}
            self._vectors.commit(saved, self._seq, self._timeline)
        except OSError:
            self._remove_codes()
            raise

    def _remove_codes(self) -> None:
        for part in self._parts.values():
            if part.codes and not part.codes.file.digest:
                (self._folder / part.codes.file.name).unlink(missing_ok=True)


def _wanted(changes: Sequence[Change]) -> tuple[NDArray[np.int64], Bytes]:
    """For each change the place of its part, or _NO_PART, and its vector."""
    places = {part: place for place, part in enumerate(Part)}
    wanted = np.full(len(changes), _NO_PART)
    codes = np.zeros((len(changes), ROW_BYTES), dtype=np.uint8)
    for row, change in enumerate(changes):
        if change.vector is not None:
            wanted[row] = places[change.part]
            codes[row] = np.frombuffer(change.vector, np.uint8)
    return wanted, codes


def _names(codes: dict[Part, WrittenCodes]) -> set[str]:
    return {written.file.name for written in codes.values()}
