"""The built model, and a small model of random weights with the same shape."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.embedding.small_model import VOCABULARY, make_tensors

from embedding import default_folder
from embedding.build.encoder import Tensors
from embedding.build.folder import write_folder
from embedding.model import Embedder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder(default_folder())


@pytest.fixture(scope="session")
def small_tensors() -> Tensors:
    return make_tensors(seed=1)


@pytest.fixture(scope="session")
def vocabulary() -> Sequence[str]:
    return VOCABULARY


@pytest.fixture
def small_folder(tmp_path: Path, small_tensors: Tensors) -> Path:
    """A fresh model folder that a test may damage."""
    folder = tmp_path / "small-model"
    write_folder(folder, small_tensors, VOCABULARY)
    return folder
