"""`python -m embedding.build --package DIR --out DIR`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from embedding import default_folder
from embedding.build.folder import write_folder
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

PURPOSE = "Make the model folder from the official weights."


def main(arguments: Sequence[str]) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    if not given.package and not (given.weights and given.tokenizer):
        parser.error("give --package, or both --weights and --tokenizer")
    try:
        weights = given.weights or find(given.package, WEIGHTS_FILE)
        tokenizer = given.tokenizer or find(given.package, TOKENIZER_FILE)
        check(weights, WEIGHTS_SHA256)
        check(tokenizer, TOKENIZER_SHA256)
    except SourceRefused as error:
        sys.exit(str(error))
    write_folder(given.out, read_tensors(weights), read_vocabulary(tokenizer))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("embedding.build", description=PURPOSE)
    parser.add_argument("--package", type=Path, help="folder that holds both files")
    parser.add_argument("--weights", type=Path, help="the official model.safetensors")
    parser.add_argument("--tokenizer", type=Path, help="its tokenizer.json")
    parser.add_argument("--out", type=Path, default=default_folder())
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
