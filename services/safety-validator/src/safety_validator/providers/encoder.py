"""The classifier's model as it ships: verified, then read one window at a time."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from embedding.model import open_session
from embedding.wordpiece import FIRST, LAST, UNKNOWN, WordPiece
from safety_validator.errors import ModelRefused
from safety_validator.models import Span

__all__ = ["Encoder", "Logits", "Manifest", "NGramTable", "Stack"]

MANIFEST_FILE = "manifest.json"
GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "model.bin"
NGRAMS_FILE = "ngrams.bin"
VOCABULARY_FILE = "vocab.txt"
FILES = frozenset({GRAPH_FILE, WEIGHTS_FILE, NGRAMS_FILE, VOCABULARY_FILE})
# Words of a text that are looked up at once: a millisecond or two.
PIECES_A_PART = 4_096

# What ends a sentence, or stands for what was left out between two.
ENDERS = frozenset(".!?;|。！？")

# One for each head, in the manifest's order.
Logits = Sequence[float]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class NGramTable(_Entry):
    """The form of the n-grams' weights; scale and bias are a head's."""

    buckets: int
    orders: tuple[int, ...]
    scales: tuple[float, ...]
    biases: tuple[float, ...]


class Stack(_Entry):
    """How the logits of model and n-grams make a head's score."""

    model: float
    ngrams: float
    bias: float


class Point(NamedTuple):
    """So large a share of operational texts has at least this score."""

    rate: float
    score: float


def _in_order(table: tuple[Point, ...]) -> tuple[Point, ...]:
    for one, next_one in pairwise(table):
        if not (one.rate > next_one.rate > 0 and one.score <= next_one.score):
            raise ValueError("rates do not fall while scores rise")
    if not all(math.isfinite(point.score) for point in table):
        raise ValueError("a score is not a number")
    return table


_Table = Annotated[tuple[Point, ...], Field(min_length=2), AfterValidator(_in_order)]


class Manifest(_Entry):
    """What the model is; it vouches for the other files by their digests."""

    format: Literal[1]
    name: str
    version: str
    heads: tuple[str, ...]
    sha256: Mapping[str, str]
    ngrams: NGramTable
    stack: Mapping[str, Stack]
    calibration: Mapping[str, _Table]


class Encoder:
    """Token ids of texts, logits of windows. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Loads the model; raises ModelRefused unless the folder is whole."""
        try:
            self.manifest = _manifest(folder)
            _verify(folder, self.manifest)
            self.ngram_weights = _ngrams(folder, self.manifest)
            vocabulary = (folder / VOCABULARY_FILE).read_text(encoding="utf-8")
            tokens = vocabulary.split("\n")
            self._wordpiece = WordPiece(tokens)
            self._first, self._last = tokens.index(FIRST), tokens.index(LAST)
            self.unknown = tokens.index(UNKNOWN)
            self._enders = [n for n, token in enumerate(tokens) if token in ENDERS]
            self._session = open_session(folder / GRAPH_FILE)
            self._warm_up()
        except (OSError, ValueError, KeyError) as error:
            raise ModelRefused(f"{folder}: {error}") from error
        # The runtime's errors have no class of their own but this.
        except RuntimeError as error:
            raise ModelRefused(f"{folder}: {error}") from error

    def ids(self, text: str) -> Iterator[NDArray[np.int32]]:
        """The ids of the whole text without special tokens, in parts (tokens,)."""
        pieces = self._wordpiece.encode_pieces(text)
        while part := list(islice(pieces, PIECES_A_PART)):
            yield np.fromiter(chain.from_iterable(p[2] for p in part), dtype=np.int32)

    def ends(self, ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """The place behind each sentence, in order."""
        return np.flatnonzero(np.isin(ids, self._enders)) + 1

    def place(self, text: str, window: Span) -> Span:
        """Where in the text a window of its tokens is, to the word."""
        first, last = window[0], window[1] - 1
        start = end = seen = 0
        for begun, ended, ids in self._wordpiece.encode_pieces(text):
            if seen <= first < seen + len(ids):
                start = begun
            end = ended
            seen += len(ids)
            if seen > last:
                break
        return start, end

    def logits(self, ids: NDArray[np.int32]) -> Logits:
        """What the heads say of one window of token ids."""
        row = np.empty((1, len(ids) + 2), dtype=np.int64)
        row[0, 0], row[0, 1:-1], row[0, -1] = self._first, ids, self._last
        logits: list[float] = self._session.run(None, {"input_ids": row})[0][0].tolist()
        return logits

    def _warm_up(self) -> None:
        """The first run is slow, and shows whether the graph has the heads."""
        found = len(self.logits(np.zeros(0, dtype=np.int32)))
        if found != len(self.manifest.heads):
            raise ValueError(f"{GRAPH_FILE} has {found} heads")


def _manifest(folder: Path) -> Manifest:
    manifest = Manifest.model_validate(
        json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    )
    heads = set(manifest.heads)
    if heads != set(manifest.stack) or heads != set(manifest.calibration):
        raise ValueError(f"{MANIFEST_FILE} does not describe its heads")
    return manifest


def _verify(folder: Path, manifest: Manifest) -> None:
    if set(manifest.sha256) != FILES:
        raise ValueError(f"{MANIFEST_FILE} does not vouch for the files")
    for name, stated in manifest.sha256.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != stated:
                raise ValueError(f"{name} is not that of the manifest")


def _ngrams(folder: Path, manifest: Manifest) -> NDArray[np.int8]:
    """Weights of shape (buckets, heads)."""
    shape = manifest.ngrams.buckets, len(manifest.heads)
    return np.fromfile(folder / NGRAMS_FILE, dtype=np.int8).reshape(shape)
