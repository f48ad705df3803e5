"""The million: real sentences embedded by our encoder, filled up between close pairs.

    python -m benchmarks.corpus --memories 1000000

A filled row is normalise(x + u · (a - b)): x a random real vector, (a, b) a random
close pair of real ones, u uniform in 0.5 to 1.0; its text is that of x with its number.
Kept in a folder of the cache, by the encoder's build and the sizes.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding import default_folder
from embedding.manifest import DIMENSION, MANIFEST_FILE, sha256
from embedding.model import Embedder

ROOT = Path(__file__).parents[1]
SEED = 20_261_123
# Real sentences that no corpus contains: queries that nobody has asked before.
HELD_OUT = 8_000
# Of a million, as many rows are real as there are sentences; smaller ones are alike.
REAL_SHARE = 0.444_744
# One process a core of the machine that the targets name.
ENCODERS = 2
BLOCK = 512
# Close pairs: anchors and each one's nearest among the candidates. So the million has
# the local intrinsic dimension of its real rows alone, 14.4 at the queries.
ANCHORS = 8_192
CANDIDATES = 131_072
EXACT_TOP = 10
ROWS_AT_ONCE = 16_384
PROGRESS_S = 15.0

Vectors = NDArray[np.float32]


def cache_folder() -> Path:
    """BENCH_CACHE, or a folder in the user's cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("BENCH_CACHE") or home / "claude-agi-bench")


def shared_data() -> Path:
    """The evaluation data: in SHARED_DIR, else beside the checkout."""
    folder = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared") / "data"
    if not folder.is_dir():
        raise FileNotFoundError(f"no data for benchmarks in {folder}: set SHARED_DIR")
    return folder


@dataclass(frozen=True)
class Corpus:
    """A folder with rows by number: the first `real` are sentences as they are."""

    folder: Path
    memories: int
    real: int

    @cached_property
    def vectors(self) -> NDArray[np.float16]:
        """Unit vectors of shape (memories, 384), mapped from the file."""
        found: NDArray[np.float16] = np.load(
            self.folder / "vectors.f16.npy", mmap_mode="r"
        )
        return found

    @cached_property
    def query_vectors(self) -> Vectors:
        """Vectors of `queries`, shape (queries, 384)."""
        found: Vectors = np.load(self.folder / "queries.f32.npy")
        return found

    @cached_property
    def exact(self) -> NDArray[np.int64]:
        """Rows nearest to each query by float32 inner product, best first."""
        found: NDArray[np.int64] = np.load(self.folder / "exact.npy")
        return found

    @cached_property
    def queries(self) -> list[str]:
        """None of them is a row."""
        return _lines("queries.txt.gz")

    @cached_property
    def unseen(self) -> list[str]:
        """Held out: more queries, without exact answers."""
        return _shuffled()[-HELD_OUT:]

    def texts(self) -> Iterator[str]:
        """Each row's text, in order."""
        with (self.folder / "texts.txt").open(encoding="utf-8") as file:
            for line in file:
                yield line.removesuffix("\n")


def prepare(memories: int, real: int | None = None) -> Corpus:
    """The corpus of that size from the cache, made where it is not there yet."""
    encoded = cache_folder() / f"encoded-{_encoder()}"
    if real is None:
        real = min(round(memories * REAL_SHARE), len(_shuffled()) - HELD_OUT)
    _encode(encoded, real)
    folder = cache_folder() / f"corpus-{_encoder()}-{memories}-{real}"
    if not (folder / "exact.npy").exists():
        _build(Corpus(folder, memories, real), encoded)
    return Corpus(folder, memories, real)


def encoded_rows() -> int:
    """How many sentences from the start of the order the cache holds."""
    done = _flags(cache_folder() / f"encoded-{_encoder()}")
    gaps = np.flatnonzero(done == 0)
    return int(gaps[0] if gaps.size else done.size) * BLOCK


def say(text: str) -> None:
    """A line of progress, apart from the results."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _encoder() -> str:
    """The build whose vectors these are."""
    return sha256(default_folder() / MANIFEST_FILE)[:12]


def _lines(name: str) -> list[str]:
    with gzip.open(shared_data() / "corpus" / name, "rt", encoding="utf-8") as file:
        # Some sentences hold characters at which splitlines() would part them.
        return file.read().removesuffix("\n").split("\n")


def _shuffled() -> list[str]:
    """All sentences in one fixed order, so that the first ones are a fair sample."""
    if not _SENTENCES:
        lines = _lines("sentences.txt.gz")
        order = np.random.default_rng(SEED).permutation(len(lines))
        _SENTENCES.extend(lines[place] for place in order)
    return _SENTENCES


_SENTENCES: list[str] = []


def _flags(folder: Path) -> NDArray[np.uint8]:
    """One byte a block: whether its vectors are written. Shared with the encoders."""
    blocks = -(-(len(_shuffled()) - HELD_OUT) // BLOCK)
    return np.memmap(folder / "done.u8", np.uint8, "r+", shape=(blocks,))


def _rows(folder: Path) -> NDArray[np.float16]:
    shape = (len(_shuffled()) - HELD_OUT, DIMENSION)
    return np.memmap(folder / "vectors.f16", np.float16, "r+", shape=shape)


def _encode(folder: Path, real: int) -> None:
    """Embeds the first `real` sentences by a process a core; what is done is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = len(_shuffled()) - HELD_OUT
    for name, size in (
        ("vectors.f16", rows * DIMENSION * 2),
        ("done.u8", -(-rows // BLOCK)),
    ):
        with (folder / name).open("ab") as file:
            file.truncate(size)
    done = _flags(folder)[: -(-real // BLOCK)]
    if done.all():
        return
    command = [sys.executable, "-m", "benchmarks.corpus", "--encode"]
    encoders = [
        subprocess.Popen([*command, f"{part}:{real}"], cwd=ROOT)
        for part in range(ENCODERS)
    ]
    try:
        _watch(encoders, done)
    finally:
        for encoder in encoders:
            encoder.terminate()
            encoder.wait()


def _watch(encoders: list[subprocess.Popen[bytes]], done: NDArray[np.uint8]) -> None:
    before, begun = int(done.sum()), time.monotonic()
    said = begun
    while any(each.poll() is None for each in encoders):
        time.sleep(0.2)
        now, blocks = time.monotonic(), int(done.sum())
        if now - said > PROGRESS_S and blocks > before:
            said = now
            rate = (blocks - before) / (now - begun)
            left = (done.size - blocks) / rate
            say(
                f"embedded {blocks * BLOCK:,} of {done.size * BLOCK:,} sentences, "
                f"{rate * BLOCK:.0f}/s, {left / 60:.0f} min left"
            )
    if not done.all():
        raise RuntimeError("an encoder ended before its sentences were embedded")


def _encode_part(part: int, real: int) -> None:
    """Every second block is this process's, so that the first ones are done first."""
    folder = cache_folder() / f"encoded-{_encoder()}"
    sentences = _shuffled()[:-HELD_OUT]
    embedder, rows, done = Embedder(default_folder()), _rows(folder), _flags(folder)
    for block in range(part, -(-real // BLOCK), ENCODERS):
        if not done[block]:
            place = slice(block * BLOCK, (block + 1) * BLOCK)
            rows[place] = embedder.embed(sentences[place])
            done[block] = 1


def _build(corpus: Corpus, encoded: Path) -> None:
    say(f"building {corpus.memories:,} memories, {corpus.real:,} of them real")
    corpus.folder.mkdir(parents=True, exist_ok=True)
    real = _rows(encoded)[: corpus.real]
    vectors = np.lib.format.open_memmap(
        corpus.folder / "vectors.f16.npy",
        mode="w+",
        dtype=np.float16,
        shape=(corpus.memories, DIMENSION),
    )
    vectors[: corpus.real] = real
    _fill(corpus, real, vectors)
    queries = Embedder(default_folder()).embed(corpus.queries)
    np.save(corpus.folder / "queries.f32.npy", queries)
    top = exact_top(queries, vectors, EXACT_TOP)
    # Its presence says that the folder is whole.
    np.save(corpus.folder / "new.npy", top)
    (corpus.folder / "new.npy").rename(corpus.folder / "exact.npy")


def _fill(corpus: Corpus, real: NDArray[np.float16], vectors: NDArray[Any]) -> None:
    random = np.random.default_rng(SEED)
    anchors, nearest = _close_pairs(real, random)
    origins = random.integers(len(real), size=corpus.memories - len(real))
    _write_texts(corpus, origins.tolist())
    for start in range(0, len(origins), ROWS_AT_ONCE):
        own = origins[start : start + ROWS_AT_ONCE]
        pair = random.integers(len(anchors), size=len(own))
        a = real[anchors[pair]].astype(np.float32)
        b = real[nearest[pair]].astype(np.float32)
        u = random.uniform(0.5, 1.0, size=(len(own), 1)).astype(np.float32)
        made = real[own] + u * (a - b)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        place = len(real) + start
        vectors[place : place + len(own)] = made


def _write_texts(corpus: Corpus, origins: list[int]) -> None:
    """A row a line; a filled one says what the row it was made from says."""
    sentences = _shuffled()
    with (corpus.folder / "texts.txt").open("w", encoding="utf-8") as file:
        file.writelines(f"{text}\n" for text in sentences[: corpus.real])
        for row, origin in enumerate(origins, corpus.real):
            file.write(f"{sentences[origin]} {row}\n")


def _close_pairs(
    real: NDArray[np.float16], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Anchors, and for each the row nearest to it but itself."""
    candidates = random.permutation(len(real))[:CANDIDATES]
    anchors = candidates[:ANCHORS].copy()
    candidates.sort()
    top = exact_top(real[anchors].astype(np.float32), real[candidates], 2)
    return anchors, candidates[top[:, 1]]


def exact_top(
    queries: Vectors, vectors: NDArray[np.floating[Any]], count: int
) -> NDArray[np.int64]:
    """The rows of `vectors` nearest to each query, best first: (queries, count)."""
    best = np.full((len(queries), count), -np.inf, np.float32)
    rows = np.zeros((len(queries), count), np.int64)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE].astype(np.float32)
        scores = queries @ block.T
        keep = min(count, len(block))
        found = np.argpartition(scores, -keep, axis=1)[:, -keep:]
        scores = np.take_along_axis(scores, found, axis=1)
        best = np.concatenate([best, scores], axis=1)
        rows = np.concatenate([rows, found + start], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :count]
        best = np.take_along_axis(best, order, axis=1)
        rows = np.take_along_axis(rows, order, axis=1)
    return rows


def main() -> None:
    """Makes a corpus before the scenarios ask for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=1_000_000)
    parser.add_argument("--real", type=int, help="embed only so many sentences")
    parser.add_argument("--encode", metavar="PART:REAL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.encode:
        _encode_part(*map(int, given.encode.split(":")))
        return
    corpus = prepare(given.memories, given.real)
    facts = {"memories": corpus.memories, "real": corpus.real}
    print(json.dumps({"folder": str(corpus.folder), **facts}))


if __name__ == "__main__":
    main()
