"""A model folder that is not intact is refused, and says what to run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from embedding import ModelUnavailable
from embedding.manifest import MANIFEST_FILE
from embedding.model import Embedder

FILES = ["model.onnx", "model.bin", "vocab.txt", "manifest.json"]


def test_an_intact_folder_loads(small_folder: Path) -> None:
    assert sorted(path.name for path in small_folder.iterdir()) == sorted(FILES)
    assert Embedder(small_folder).embed(["a b"]).shape == (1, 384)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(small_folder: Path, name: str) -> None:
    (small_folder / name).unlink()
    with pytest.raises(ModelUnavailable, match=rf"make setup.*{name}"):
        Embedder(small_folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused(small_folder: Path, name: str) -> None:
    content = bytearray((small_folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (small_folder / name).write_bytes(content)
    with pytest.raises(ModelUnavailable, match="make setup"):
        Embedder(small_folder)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_refused(small_folder: Path, name: str) -> None:
    content = (small_folder / name).read_bytes()
    (small_folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelUnavailable, match="make setup"):
        Embedder(small_folder)


@pytest.mark.parametrize(
    "change",
    [{"format": 0}, {"model": "another"}, {"dimension": 768}, {"max_tokens": 128}],
)
def test_a_folder_of_another_format_is_refused(
    small_folder: Path, change: dict[str, Any]
) -> None:
    manifest = small_folder / MANIFEST_FILE
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.raises(ModelUnavailable, match="make setup"):
        Embedder(small_folder)


@pytest.mark.parametrize("manifest", ["", "[]", "null", "{}", "\udcff", "not json"])
def test_a_manifest_that_is_none_is_refused(small_folder: Path, manifest: str) -> None:
    raw = manifest.encode("utf-8", "surrogateescape")
    (small_folder / MANIFEST_FILE).write_bytes(raw)
    with pytest.raises(ModelUnavailable, match="make setup"):
        Embedder(small_folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=str(tmp_path / "none")):
        Embedder(tmp_path / "none")


def test_a_loaded_model_outlives_its_folder(small_folder: Path) -> None:
    embedder = Embedder(small_folder)
    before = embedder.embed(["a b c"]).tobytes()
    shutil.rmtree(small_folder)
    assert embedder.embed(["a b c"]).tobytes() == before
