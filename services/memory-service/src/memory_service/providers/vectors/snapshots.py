"""What a restart needs of an agent's vectors: written beside them, and read again."""

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from memory_service.models.vectors import Part
from memory_service.providers.vectors.ivf import Ivf, read_ivf
from memory_service.providers.vectors.manifest import (
    NAME,
    CodesFile,
    Manifest,
    SavedPart,
    SnapshotUnfit,
)
from memory_service.providers.vectors.part import PartVectors
from memory_service.providers.vectors.rows import ERASED, VectorRows, decode

# Rows whose codes are made anew at loading, at 0.02 ms each, rather than saved.
MAX_TAIL_ROWS = 20_000
# Characters in the names of files, which no two snapshots share.
NAME_BYTES = 8

Parts = dict[Part, PartVectors]


@dataclass(frozen=True, slots=True)
class WrittenCodes:
    """A file of codes, and what it was made from."""

    file: CodesFile
    ivf: Ivf
    removals: int

    def serve(self, part: PartVectors) -> bool:
        """Whether they still stand for the part's."""
        return (
            self.ivf is part.ivf
            and self.removals == self.ivf.removals
            and part.rows.count - self.file.rows <= MAX_TAIL_ROWS
        )


@dataclass(frozen=True, slots=True)
class CapturedPart:
    """A part's rows, which only grow or are erased, and its codes in a file."""

    rows: VectorRows
    count: int
    tried: int
    codes: WrittenCodes | None

    def save(self, folder: Path) -> "CapturedPart":
        """Returns when it is on the disk; OSError."""
        self.rows.save(self.count)
        if self.codes is None or self.codes.file.digest:
            return self
        file = replace(self.codes.file, digest=_settle(folder / self.codes.file.name))
        return replace(self, codes=replace(self.codes, file=file))

    def describe(self) -> SavedPart:
        """What the manifest says of it."""
        assert self.rows.stem is not None
        return SavedPart(
            stem=self.rows.stem.name,
            salt=self.rows.salt,
            count=self.count,
            tried=self.tried,
            codes=self.codes.file if self.codes else None,
        )


def capture_part(
    folder: Path, part: PartVectors, written: WrittenCodes | None
) -> CapturedPart:
    """The part as it is; its codes are written if `written` is too old; OSError."""
    if part.ivf is None:
        written = None
    elif written is None or not written.serve(part):
        written = _write_codes(folder, part, part.ivf)
    return CapturedPart(part.rows, part.rows.count, part.tried, written)


def new_stem(folder: Path, part: Part) -> Path:
    """Where new rows of a part go."""
    return folder / f"{part}-{secrets.token_hex(NAME_BYTES)}"


def read_parts(
    folder: Path, manifest: Manifest
) -> tuple[Parts, dict[Part, WrittenCodes]]:
    """The parts of a snapshot, checked; raises SnapshotUnfit, OSError."""
    parts: Parts = {}
    codes: dict[Part, WrittenCodes] = {}
    for name, saved in manifest.parts.items():
        rows = VectorRows.open(folder / saved.stem, saved.salt, saved.count)
        if rows is None:
            raise SnapshotUnfit("rows are damaged")
        part = parts[name] = PartVectors.over(rows)
        part.tried = saved.tried
        if saved.codes is not None:
            part.ivf = _read_codes(folder, part, saved.codes)
            codes[name] = WrittenCodes(saved.codes, part.ivf, removals=0)
    return parts, codes


def sweep(folder: Path, manifest: Manifest | None) -> None:
    """Removes what a manifest does not name; OSError."""
    kept = {NAME}
    for saved in manifest.parts.values() if manifest else ():
        kept |= {f"{saved.stem}.keys", f"{saved.stem}.vectors"}
        kept |= {saved.codes.name} if saved.codes else set()
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name not in kept:
            entry.unlink()


def _write_codes(folder: Path, part: PartVectors, ivf: Ivf) -> WrittenCodes:
    path = folder / f"{secrets.token_hex(NAME_BYTES)}.codes"
    try:
        ivf.settle(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    # Whoever writes the snapshot has the time for a digest.
    file = CodesFile(
        name=path.name,
        digest="",
        rows=part.rows.count,
        trained_rows=ivf.trained_rows,
        error=ivf.error,
        effort=ivf.effort,
    )
    return WrittenCodes(file, ivf, ivf.removals)


def _settle(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_codes(folder: Path, part: PartVectors, saved: CodesFile) -> Ivf:
    path = folder / saved.name
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != saved.digest:
            raise SnapshotUnfit("codes are damaged")
    ivf = read_ivf(path, saved.effort, saved.trained_rows, saved.error)
    erased = np.flatnonzero(part.rows.seqs()[: saved.rows] == ERASED)
    ivf.remove(erased)
    if len(ivf) != saved.rows - len(erased):
        raise SnapshotUnfit("codes of other rows")
    for slots, _, codes in part.rows.chunks(saved.rows, part.rows.count):
        ivf.add(slots, decode(codes))
    if not ivf.finds_again(part.rows):
        raise SnapshotUnfit("codes find nothing")
    return ivf
