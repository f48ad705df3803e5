"""`python -m training --data FILE --package DIR --out DIR`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from embedding.build.safetensors import read_tensors
from embedding.build.source import (
    TOKENIZER_FILE,
    TOKENIZER_SHA256,
    WEIGHTS_FILE,
    WEIGHTS_SHA256,
    SourceRefused,
    check,
    find,
    read_vocabulary,
)
from training.data import HEADS, Tokenizer, read_rows, read_sentences, split
from training.encoder import as_numpy, embed_table, start
from training.finish import finish
from training.ngrams import fit
from training.train import train

PURPOSE = "Trains the classifier and writes the folder that the service ships."
SEED = 7
# Where the data's own README puts ordinary sentences, from the file's folder.
SENTENCES = Path("..") / "corpus" / "sentences.txt.gz"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = _parser().parse_args(arguments)
    if not given.data.is_file():
        sys.exit(f"training: {given.data} is not a file")
    sentences = given.sentences or given.data.parent / SENTENCES
    try:
        weights = find(given.package, WEIGHTS_FILE)
        tokenizer = find(given.package, TOKENIZER_FILE)
        check(weights, WEIGHTS_SHA256)
        check(tokenizer, TOKENIZER_SHA256)
    except SourceRefused as error:
        sys.exit(f"training: {error}")
    given.work.mkdir(parents=True, exist_ok=True)
    tensors, vocabulary = read_tensors(weights), read_vocabulary(tokenizer)
    rows = read_rows(given.data)
    if sentences.is_file():
        rows += read_sentences(sentences, SEED)
    else:
        print(f"{sentences}: not there, so without sentences", file=sys.stderr)
    parts = split(rows, Tokenizer(vocabulary))
    ngrams = fit(parts.learnt, len(HEADS), SEED)
    begin = start(tensors, len(HEADS), SEED)
    table = embed_table(tensors)
    trained = train(parts.learnt, ngrams, table, begin, given.work, SEED)
    found = finish(given.out, tensors, vocabulary, as_numpy(trained), ngrams, parts)
    for one in found:
        print(one.head, one.source, one.label, one.texts, *one.shares)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("training", description=PURPOSE)
    parser.add_argument(
        "--data", type=Path, required=True, help="JSON Lines, gzipped: src, text, ..."
    )
    parser.add_argument(
        "--sentences", type=Path, help=f"ordinary sentences (else {SENTENCES} there)"
    )
    parser.add_argument(
        "--package", type=Path, required=True, help="folder of the official model"
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--work", type=Path, required=True, help="checkpoints, to go on from"
    )
    return parser


if __name__ == "__main__":
    main()
