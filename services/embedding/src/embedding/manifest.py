"""The files of a model folder, and the manifest that vouches for them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from embedding.errors import ModelUnavailable
from embedding.wordpiece import MAX_TOKENS

MODEL_NAME = "all-MiniLM-L6-v2"
DIMENSION = 384

GRAPH_FILE = "model.onnx"
WEIGHTS_FILE = "model.bin"
VOCABULARY_FILE = "vocab.txt"
MANIFEST_FILE = "manifest.json"

# Vectors of two formats must never be compared: a new graph is a new format.
FORMAT = 2


def write_manifest(folder: Path) -> None:
    text = json.dumps(_describe(folder), indent=2, sort_keys=True)
    (folder / MANIFEST_FILE).write_text(f"{text}\n", encoding="utf-8")


def verify(folder: Path) -> None:
    """Raise ModelUnavailable unless every file is the one that was built."""
    try:
        stated = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        found = _describe(folder)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{folder}: {error}") from error
    if stated != found:
        raise ModelUnavailable(f"{folder}: the files are not those of its manifest")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(folder: Path) -> dict[str, Any]:
    files = (GRAPH_FILE, WEIGHTS_FILE, VOCABULARY_FILE)
    return {
        "model": MODEL_NAME,
        "license": "Apache-2.0",
        "format": FORMAT,
        "dimension": DIMENSION,
        "max_tokens": MAX_TOKENS,
        "sha256": {name: sha256(folder / name) for name in files},
    }
