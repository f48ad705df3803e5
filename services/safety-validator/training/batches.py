"""What one epoch reads: windows of like length together, in an order of its own."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safety_validator.domain.ngrams import NGrams
from training.data import Text, cut

__all__ = ["Batch", "epoch", "padded"]

FIRST, LAST = 101, 102
# Tokens a window is padded to, the two special ones among them; each is compiled once.
LENGTHS = (16, 32, 48, 64, 80, 112)
TOKENS_A_BATCH = 2_048
# Of a long text so many windows are read in an epoch: more would teach its source.
WINDOWS_A_TEXT = 2
# Attacks that stand in ordinary text, of which a window shows both.
HIDDEN_SHARE = 0.08
MOST_HIDDEN_TOKENS = 40
# A source counts by its size to this power: small ones are seen more often.
SOURCE_POWER = 0.7

Sample = tuple[NDArray[np.int32], tuple[int, ...]]


class Batch(NamedTuple):
    """Arrays of shape (texts, tokens), (texts, tokens) and (texts, heads)."""

    ids: NDArray[np.int32]
    mask: NDArray[np.float32]
    labels: NDArray[np.float32]


def epoch(
    texts: Sequence[Text], ngrams: NGrams, samples: int, seed: int
) -> Iterator[Batch]:
    """About so many samples, drawn anew for each seed."""
    chance = random.Random(seed)
    drawn = [
        sample
        for text in _chosen(texts, samples, chance)
        for sample in _samples(text, ngrams, chance)
    ]
    drawn += _hidden(texts, int(len(drawn) * HIDDEN_SHARE), chance)
    batches = list(_batches(drawn, chance))
    chance.shuffle(batches)
    return (padded(batch) for batch in batches)


def _chosen(texts: Sequence[Text], count: int, chance: random.Random) -> list[Text]:
    by_source: defaultdict[str, list[Text]] = defaultdict(list)
    for text in texts:
        by_source[text.source].append(text)
    shares = {source: len(own) ** SOURCE_POWER for source, own in by_source.items()}
    unit = count / sum(shares.values())
    chosen: list[Text] = []
    for source, own in sorted(by_source.items()):
        wanted = round(shares[source] * unit)
        rounds, rest = divmod(wanted, len(own))
        chosen += own * rounds + chance.sample(own, rest)
    return chosen


def _samples(text: Text, ngrams: NGrams, chance: random.Random) -> list[Sample]:
    """A text's windows: of an attack the most suspicious, of others any."""
    found = list(cut(text))
    if len(found) > WINDOWS_A_TEXT:
        spans = [(0, len(window)) for window in found]
        scores = [
            float(ngrams.logits(window, [span])[0].max())
            for window, span in zip(found, spans, strict=True)
        ]
        suspects = sorted(range(len(found)), key=lambda at: -scores[at])
        if 1 in text.labels:
            found = [found[at] for at in suspects[:WINDOWS_A_TEXT]]
        else:
            found = [found[suspects[0]], chance.choice(found)]
    return [(window, text.labels) for window in found if len(window)]


def _hidden(texts: Sequence[Text], count: int, chance: random.Random) -> list[Sample]:
    """Short texts put into the middle of ordinary ones; harmless ones as often."""
    carriers = [text for text in texts if text.source in ("t0_docs", "sentences")]
    short = [t for t in texts if 4 <= len(t.ids) <= MOST_HIDDEN_TOKENS]
    bad = [text for text in short if 1 in text.labels]
    good = [text for text in short if text.labels[:2] == (0, 0)]
    made: list[Sample] = []
    for number in range(count):
        carrier = chance.choice(carriers)
        text = chance.choice(bad if number % 2 else good)
        room = 62 - len(text.ids)
        before = chance.randint(0, room)
        start = chance.randint(0, max(0, len(carrier.ids) - room))
        around = carrier.ids[start : start + room]
        ids = np.concatenate([around[:before], text.ids, around[before:]])
        made.append((ids, text.labels))
    return made


def _batches(samples: list[Sample], chance: random.Random) -> Iterator[list[Sample]]:
    chance.shuffle(samples)
    lines: dict[int, list[Sample]] = {length: [] for length in LENGTHS}
    for sample in samples:
        length = next(n for n in LENGTHS if n >= len(sample[0]) + 2)
        line = lines[length]
        line.append(sample)
        if len(line) == TOKENS_A_BATCH // length:
            yield line
            lines[length] = []


def padded(samples: Sequence[Sample]) -> Batch:
    """Samples with their special tokens, padded to one of the lengths."""
    longest = max(len(ids) for ids, _ in samples) + 2
    length = next(n for n in LENGTHS if n >= longest)
    ids = np.zeros((len(samples), length), dtype=np.int32)
    mask = np.zeros((len(samples), length), dtype=np.float32)
    for row, (own, _) in enumerate(samples):
        ids[row, : len(own) + 2] = [FIRST, *own, LAST]
        mask[row, : len(own) + 2] = 1
    labels = np.array([labels for _, labels in samples], dtype=np.float32)
    return Batch(ids, mask, labels)
