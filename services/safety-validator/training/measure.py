"""Reads texts with the graph that is shipped, and says what that is worth."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from safety_validator.domain.ngrams import NGrams
from safety_validator.domain.windows import windows
from training.artefact import GRAPH_FILE
from training.batches import FIRST, LAST
from training.data import HEADS, Text

__all__ = ["RATES", "Found", "Reader", "calibration", "found_shares"]

# Shares of ordinary texts, from which the table of each head is made.
RATES = (
    *(0.5, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.015),
    *(0.01, 0.007, 0.005, 0.003, 0.002, 0.0015, 0.001, 0.0007, 0.0005, 0.0003),
    0.0002,
)
# A source with fewer texts says nothing about one in a thousand.
LEAST_TEXTS = 1_000

Floats = NDArray[np.float64]
# For each head (rate, score).
Calibration = dict[str, list[tuple[float, float]]]


class Found(NamedTuple):
    """Of a source's texts with one label the shares above each limit."""

    head: str
    source: str
    label: int
    texts: int
    shares: tuple[float, ...]


class Reader:
    """The shipped graph and n-grams; a text's score is that of its worst window."""

    def __init__(
        self, folder: Path, ngrams: NGrams, stack: Mapping[str, Mapping[str, float]]
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(folder / GRAPH_FILE, options)
        self._ngrams = ngrams
        self._stack = np.array(
            [[stack[h]["model"], stack[h]["ngrams"], stack[h]["bias"]] for h in HEADS]
        ).T

    def scores(self, texts: Sequence[Text]) -> Floats:
        """Scores from 0 to 1 of shape (texts, heads)."""
        return np.array([self._score(text.ids) for text in texts])

    def _score(self, ids: NDArray[np.int32]) -> Floats:
        spans = windows(len(ids))
        words = self._ngrams.logits(ids, spans)
        logits = [self._logits(ids[start:end]) for start, end in spans]
        model, ngrams, bias = self._stack
        stacked = model * np.array(logits) + ngrams * words + bias
        worst: Floats = (1 / (1 + np.exp(-stacked))).max(axis=0)
        return worst

    def _logits(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        row = np.concatenate([[FIRST], ids, [LAST]]).astype(np.int64)
        (logits,) = self._session.run(None, {"input_ids": row[np.newaxis]})
        found: NDArray[np.float32] = logits[0]
        return found


def calibration(texts: Sequence[Text], scores: Floats) -> Calibration:
    """For each head [rate, score]: the share of ordinary texts with such a score.

    That of the source which raises the most alarms, so that many short sentences do
    not hide what longer documents do; and counted as (alarms + 1) / (texts + 1), so
    that the next text of such a source exceeds the score no more often (conformal
    prediction: Vovk et al., 2005).
    """
    return {name: _points(texts, scores[:, head]) for head, name in enumerate(HEADS)}


def _points(texts: Sequence[Text], scores: Floats) -> list[tuple[float, float]]:
    by_source: defaultdict[str, list[float]] = defaultdict(list)
    for text, score in zip(texts, scores, strict=True):
        by_source[text.source].append(float(score))
    sources = [np.sort(own) for own in by_source.values() if len(own) >= LEAST_TEXTS]
    steps = np.unique(np.concatenate(sources))
    shares = np.max(
        [
            (1 + len(own) - np.searchsorted(own, steps, "left")) / (1 + len(own))
            for own in sources
        ],
        axis=0,
    )
    # The lowest score that so small a share reaches, or beyond all that was seen.
    places = [int(np.argmax(shares <= rate)) for rate in RATES]
    return [
        (rate, float(steps[place]) if shares[place] <= rate else 1.0)
        for rate, place in zip(RATES, places, strict=True)
    ]


def found_shares(
    texts: Sequence[Text],
    scores: Floats,
    table: Calibration,
    rates: Sequence[float],
) -> list[Found]:
    """Source by source what is found at these shares of false alarms."""
    found: list[Found] = []
    for head, name in enumerate(HEADS):
        points = dict(table[name])
        limits = [points[rate] for rate in rates]
        groups: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for text, score in zip(texts, scores[:, head], strict=True):
            if text.labels[head] >= 0:
                groups[text.source, text.labels[head]].append(float(score))
        for (source, label), own in sorted(groups.items()):
            shares = tuple(float(np.mean(np.array(own) >= limit)) for limit in limits)
            found.append(Found(name, source, label, len(own), shares))
    return found
