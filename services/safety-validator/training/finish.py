"""From trained parameters to the folder that is shipped, with its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from embedding.build.safetensors import Tensor
from safety_validator.domain.ngrams import NGrams
from training.artefact import write, write_graph
from training.card import write_card
from training.data import HEADS, Split
from training.measure import Found, Reader, calibration, found_shares

__all__ = ["finish"]

# How much the n-grams say beside the model: they know words, the model what is meant.
STACK = {head: {"model": 1.0, "ngrams": 0.0, "bias": 0.0} for head in HEADS}
SHOWN_RATES = (0.01, 0.001)


def finish(
    folder: Path,
    tensors: Mapping[str, Tensor],
    vocabulary: Sequence[str],
    trained: Mapping[str, Tensor],
    ngrams: NGrams,
    parts: Split,
) -> list[Found]:
    """Writes the folder; what is found of the sources nobody learnt from."""
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(folder, tensors, trained)
    reader = Reader(folder, ngrams, STACK)
    table = calibration(parts.operational, reader.scores(parts.operational))
    write(folder, vocabulary, ngrams, STACK, table)
    found = found_shares(
        parts.held_out, reader.scores(parts.held_out), table, SHOWN_RATES
    )
    write_card(folder, parts, found, SHOWN_RATES)
    return found
