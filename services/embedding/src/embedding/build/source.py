"""The official files of the model, told from others by their digests."""

import json
from collections.abc import Sequence
from pathlib import Path

from embedding.manifest import MODEL_NAME, sha256

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"


class SourceRefused(Exception):
    """The model can only be built from its official files."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.__doc__} {reason}")


def check(path: Path, expected_sha256: str) -> None:
    """Raise SourceRefused unless the file is there and is the official one."""
    if not path.is_file():
        raise SourceRefused(f"{path} is not a file.")
    found = sha256(path)
    if found != expected_sha256:
        raise SourceRefused(
            f"{path} is not that of {MODEL_NAME}: "
            f"its sha256 is {found}, expected {expected_sha256}."
        )


def find(package: Path, name: str) -> Path:
    """The one file of that name below the folder a package was installed into."""
    found = sorted(package.rglob(name))
    if len(found) != 1:
        raise SourceRefused(f"{package} holds {len(found)} files named {name}, not 1.")
    return found[0]


def read_vocabulary(tokenizer: Path) -> Sequence[str]:
    """The tokens of a tokenizer.json in the order of their ids."""
    ids = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(ids, key=ids.__getitem__)
