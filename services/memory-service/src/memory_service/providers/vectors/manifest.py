"""The file of a snapshot that is replaced: it names the others, vouches for them.

The rows' files go on growing after it was written; the rows that it counts are the
same for ever, or erased, which they say themselves.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memory_service.models.vectors import Part
from memory_service.providers.vectors.ivf import CODES, Effort
from memory_service.providers.vectors.rows import DIMENSION

NAME = "manifest"
FRESH_NAME = "manifest.new"
# Counted on whenever a file's layout or meaning changes.
FORMAT = 3
LAYOUT = f"{FORMAT} float16x{DIMENSION} {CODES}"


@dataclass(frozen=True, slots=True)
class CodesFile:
    """A file of an `Ivf` that holds the rows below `rows`."""

    name: str
    digest: str
    rows: int
    trained_rows: int
    error: float
    effort: Effort


@dataclass(frozen=True, slots=True)
class SavedPart:
    """The rows of one part, in files that begin with `stem`."""

    stem: str
    salt: int
    count: int
    tried: int
    codes: CodesFile | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot that holds the changes up to `seq` of a timeline."""

    agent_id: str
    model: str
    seq: int
    timeline: str
    parts: Mapping[Part, SavedPart]


class SnapshotUnfit(Exception):
    """A snapshot that must not be used."""


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """In place of the one before, whole or not at all; OSError."""
    body = json.dumps({"layout": LAYOUT, **asdict(manifest)}).encode()
    fresh = folder / FRESH_NAME
    try:
        with fresh.open("wb") as file:
            file.write(digest(body) + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(folder / NAME)
        sync_folder(folder)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none; OSError, SnapshotUnfit."""
    try:
        stated, _, body = (folder / NAME).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if stated != digest(body):
        raise SnapshotUnfit("the manifest is damaged")
    fields = json.loads(body)
    if fields.pop("layout", None) != LAYOUT:
        raise SnapshotUnfit("another layout")
    parts = {Part(name): _read_part(**part) for name, part in fields["parts"].items()}
    return Manifest(**fields | {"parts": parts})


def remove_manifest(folder: Path) -> None:
    """Makes the snapshot one that nobody restores; OSError."""
    (folder / NAME).unlink(missing_ok=True)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Returns when the names in the folder are on the disk; OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_part(codes: dict[str, Any] | None, **fields: Any) -> SavedPart:
    if codes is None:
        return SavedPart(**fields, codes=None)
    effort = Effort(**codes.pop("effort"))
    return SavedPart(**fields, codes=CodesFile(**codes, effort=effort))


def digest(body: bytes) -> bytes:
    """The first line of a manifest, over the rest."""
    return hashlib.sha256(body).hexdigest().encode()
