"""The model card: what the weights are made of, what they find, and what not."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from training.data import HEADS, Split
from training.measure import Found

__all__ = ["write_card"]

CARD_FILE = "MODEL_CARD.md"

_TEXT = """# Model card: claude-agi-safety

A classifier with three heads over windows of a text: prompt injection and jailbreak
(`injection`), harmful content and requests (`harm`), and statements of a mind that
wants power, copies of itself, or freedom from oversight (`goal`). English.

It is all-MiniLM-L6-v2 (Apache-2.0) with its six layers trained further and its token
embeddings as they were, with eight-bit weights and eight-bit products, as training saw
them. Beside it a regression over hashed n-grams of tokens chooses the window that is
read first. Made by `make train-classifier DATA=...`; do not edit the files by hand.

## Data
Public research sets, {learnt:,} texts of {sources} sources after parts were put aside,
and {contrasts:,} texts from templates of this project that share the words of an attack
and not its meaning. Licences of the sources: MIT, Apache-2.0, CC BY 4.0, CC BY-SA for
ordinary sentences; some repositories state none. None of the texts is in the weights'
folder. By source:

{by_source}

Labels are those of the sources: a prompt of a set of attacks counts as an attack. Of
long texts the most suspicious windows are learnt from. Ordinary sources are taken to
have no statements of goals.

## What a score means
The table `calibration` in manifest.json gives for each head the score that so small a
share of ordinary texts reaches ({operational:,} texts that were not learnt from, the
source with the most alarms of those with a thousand texts): thresholds of a policy are
such shares. `flag` at 1 % and `block` at 0.1 % is the default.

## What is found, by source
Sources nobody learnt from. Share of texts at or above the score that {rates} of
ordinary texts reach. For label 0 it is the share of false alarms.

{found}

## Limits
- English; other languages are read by an English vocabulary.
- New kinds of attacks are found less often than these: figures for one source do not
  carry over to the next, which is why they stand here one by one.
- A text of 0.1 % alarms in ordinary text has more in text that speaks of crime,
  security or rules all day: give such agents a policy of their own.
- The rules decide first; the hard constraints do not depend on this model.
"""


def write_card(
    folder: Path, parts: Split, found: Sequence[Found], rates: Sequence[float]
) -> None:
    """Writes MODEL_CARD.md beside the weights."""
    sources = Counter(text.source for text in parts.learnt)
    shown = [f"{rate:.1%}" for rate in rates]
    text = _TEXT.format(
        learnt=len(parts.learnt) - sources["contrasts"],
        sources=len(sources) - 1,
        contrasts=sources["contrasts"],
        operational=len(parts.operational),
        by_source=", ".join(f"{name} {count}" for name, count in sources.most_common()),
        rates=" and ".join(shown),
        found=_table(found, shown),
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def _table(found: Sequence[Found], shown: Sequence[str]) -> str:
    head = f"| head | source | label | texts | {' | '.join(shown)} |"
    lines = [head, "| --- " * (len(shown) + 4) + "|"]
    for name in HEADS:
        for one in (each for each in found if each.head == name):
            shares = " | ".join(f"{share:.3f}" for share in one.shares)
            lines.append(
                f"| {name} | {one.source} | {one.label} | {one.texts} | {shares} |"
            )
    return "\n".join(lines)
