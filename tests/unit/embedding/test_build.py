"""Building a model folder from weights."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.unit.embedding.small_model import encode, write_safetensors

from embedding import default_folder
from embedding.build import __main__ as command
from embedding.build.blocks import BLOCK_SIZE, quantise
from embedding.build.encoder import Tensors
from embedding.build.folder import write_folder
from embedding.manifest import FORMAT, sha256
from embedding.model import Embedder
from embedding.wordpiece import WordPiece

TEXTS = ["", "a", "abc", "a b c d e f", "j i h " * 20, "a ? b ! c", "b " * 400]


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def package(
    tmp_path: Path,
    small_tensors: Tensors,
    vocabulary: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """An installed package whose files pass for the official ones."""
    package = tmp_path / "package"
    inner = package / "some_name" / "model"
    inner.mkdir(parents=True)
    weights, tokenizer = inner / "model.safetensors", inner / "tokenizer.json"
    write_safetensors(weights, small_tensors)
    ids = {token: place for place, token in enumerate(vocabulary)}
    shuffled = dict(sorted(ids.items()))
    tokenizer.write_text(json.dumps({"model": {"vocab": shuffled}}))
    monkeypatch.setattr(command, "WEIGHTS_SHA256", sha256(weights))
    monkeypatch.setattr(command, "TOKENIZER_SHA256", sha256(tokenizer))
    return package


def test_the_graph_computes_what_plain_arithmetic_does(
    small_folder: Path, small_tensors: Tensors, vocabulary: Sequence[str]
) -> None:
    embedder = Embedder(small_folder)
    tokenizer = WordPiece(vocabulary)
    for text in TEXTS:
        expected = encode(small_tensors, tokenizer.encode(text))
        assert embedder.embed([text])[0] @ expected > 0.999


def test_the_same_weights_give_the_same_bytes(
    tmp_path: Path, small_tensors: Tensors, vocabulary: Sequence[str]
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write_folder(one, small_tensors, vocabulary)
    write_folder(other, dict(reversed(small_tensors.items())), vocabulary)
    assert read_all(one) == read_all(other)


def test_a_new_model_takes_the_place_of_the_old(
    small_folder: Path, small_tensors: Tensors, vocabulary: Sequence[str]
) -> None:
    before = read_all(small_folder)
    (small_folder / "leftover").touch()
    changed = {name: tensor + 1 for name, tensor in small_tensors.items()}
    write_folder(small_folder, changed, vocabulary)
    after = read_all(small_folder)
    assert after.keys() == before.keys()
    assert after["model.bin"] != before["model.bin"]
    assert list(small_folder.parent.iterdir()) == [small_folder]


def test_a_failed_build_leaves_the_old_model(
    small_folder: Path, small_tensors: Tensors, vocabulary: Sequence[str]
) -> None:
    before = read_all(small_folder)
    incomplete = dict(small_tensors)
    del incomplete["encoder.layer.1.output.dense.bias"]
    with pytest.raises(KeyError):
        write_folder(small_folder, incomplete, vocabulary)
    assert read_all(small_folder) == before
    assert list(small_folder.parent.iterdir()) == [small_folder]


def test_blocks_stand_for_their_weights_within_half_a_step() -> None:
    weights = np.random.default_rng(2).normal(size=(8, 3 * BLOCK_SIZE))
    weights[0, :BLOCK_SIZE] = 0
    blocks = quantise(weights.astype(np.float32))
    signed = blocks.steps.astype(np.float32) - 128
    restored = (signed * blocks.scales[:, :, np.newaxis]).reshape(weights.shape)
    steps = np.repeat(blocks.scales, BLOCK_SIZE, axis=1)
    assert np.all(np.abs(restored - weights) <= steps * 0.5001)
    assert not restored[0, :BLOCK_SIZE].any()


def test_the_command_builds_from_a_package(
    package: Path, small_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "er" / "built"
    command.main(["--package", str(package), "--out", str(out)])
    assert read_all(out) == read_all(small_folder)


def test_the_command_builds_from_named_files(
    package: Path, small_folder: Path, tmp_path: Path
) -> None:
    (weights,) = package.rglob("model.safetensors")
    (tokenizer,) = package.rglob("tokenizer.json")
    files = ["--weights", str(weights), "--tokenizer", str(tokenizer)]
    command.main([*files, "--out", str(tmp_path / "built")])
    assert read_all(tmp_path / "built") == read_all(small_folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_other_files_than_the_official_are_refused(
    package: Path, tmp_path: Path, name: str
) -> None:
    (path,) = package.rglob(name)
    expected = sha256(path)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(SystemExit) as refusal:
        command.main(["--package", str(package), "--out", str(tmp_path / "built")])
    for part in (name, sha256(path), expected, "all-MiniLM-L6-v2"):
        assert part in str(refusal.value.code)
    assert not (tmp_path / "built").exists()


def test_the_weights_of_a_format_never_change() -> None:
    # Vectors that users stored would no longer match: raise FORMAT with the digest.
    built = sha256(default_folder() / "model.bin")
    assert (FORMAT, built) == (
        2,
        "2f11b3ecaa2e41ddb289e5e88f1b1d07743b395db52b530df0a00b1620cff1b9",
    )


@pytest.mark.parametrize(("copies", "said"), [(0, "holds 0 files"), (2, "holds 2")])
def test_a_package_must_hold_each_file_once(
    package: Path, tmp_path: Path, copies: int, said: str
) -> None:
    (weights,) = package.rglob("model.safetensors")
    content = weights.read_bytes()
    weights.unlink()
    for copy in range(copies):
        (package / str(copy)).mkdir()
        (package / str(copy) / weights.name).write_bytes(content)
    with pytest.raises(SystemExit, match=said):
        command.main(["--package", str(package), "--out", str(tmp_path / "built")])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = ["--weights", str(tmp_path / "none"), "--tokenizer", str(tmp_path)]
    with pytest.raises(SystemExit, match="none is not a file"):
        command.main([*files, "--out", str(tmp_path / "built")])


@pytest.mark.parametrize("given", [[], ["--weights", "w"], ["--tokenizer", "t"]])
def test_half_a_command_is_explained(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(given)
    assert "--package" in capsys.readouterr().err
