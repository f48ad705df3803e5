"""Vectors of the built model."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage

import numpy as np
import pytest

from embedding import MODEL_NAME, default_folder
from embedding.manifest import WEIGHTS_FILE
from embedding.model import Embedder

# Text, paraphrase, unrelated text, and both similarities in float32 arithmetic.
TRIPLES = [
    (
        "A kitten is asleep on the sofa.",
        "The young cat naps on the couch.",
        "Interest rates rose again this quarter.",
        (0.712, -0.025),
    ),
    (
        "How do I reset my password?",
        "I forgot my login and want a new one.",
        "What is the tallest mountain in Africa?",
        (0.554, 0.071),
    ),
    (
        "She was promoted to head of research.",
        "The company made her its chief scientist.",
        "He burned the pasta and ordered pizza.",
        (0.656, 0.043),
    ),
]

ODD_TEXTS = [
    "",
    " \n\t",
    "\x00",
    "\x00" * 5_000,
    "a\x00b",
    "🙂",
    "👩‍👩‍👧 🇬🇧",
    "我爱北京天安门",
    "x" * 100_000,
    "word " * 50_000,
    "é" * 70_000,
    "\ud800",
    "\u202eright to left\u202c",
    "[PAD] [MASK] [SEP]",
]


@pytest.mark.parametrize(("text", "paraphrase", "unrelated", "reference"), TRIPLES)
def test_similarity_is_that_of_the_float32_model(
    embedder: Embedder,
    text: str,
    paraphrase: str,
    unrelated: str,
    reference: tuple[float, float],
) -> None:
    vector, near, far = embedder.embed([text, paraphrase, unrelated])
    assert vector @ near > vector @ far + 0.2
    assert (vector @ near, vector @ far) == pytest.approx(reference, abs=0.03)


def test_names_itself(embedder: Embedder) -> None:
    assert embedder.name == MODEL_NAME == default_folder().name
    assert embedder.dimension == 384


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text[:12]))
def test_any_text_has_a_unit_vector(embedder: Embedder, text: str) -> None:
    vectors = embedder.embed([text])
    assert vectors.shape == (1, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


def test_no_text_gives_no_vector(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_text_that_vanishes_has_the_vector_of_the_empty_text(
    embedder: Embedder,
) -> None:
    empty, spaces, controls = embedder.embed(["", "   ", "\x00\u200b"])
    assert np.array_equal(empty, spaces)
    assert np.array_equal(empty, controls)


def test_reads_no_further_than_256_tokens(embedder: Embedder) -> None:
    within, beyond = embedder.embed(["cat " * 254, "cat " * 254 + "dog"])
    assert np.array_equal(within, beyond)
    (shorter,) = embedder.embed(["cat " * 253])
    assert not np.array_equal(within, shorter)


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder: Embedder) -> None:
    texts = [triple[0] for triple in TRIPLES] + ["short", "long " * 120, "", "short"]
    together = embedder.embed(texts)
    backwards = embedder.embed(texts[::-1])[::-1]
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert together.tobytes() == alone.tobytes() == backwards.tobytes()


def test_threads_get_the_same_bits(embedder: Embedder) -> None:
    texts = [f"{triple[0]} {'and so on ' * n}" for triple in TRIPLES for n in range(9)]
    expected = embedder.embed(texts).tobytes()
    with ThreadPoolExecutor(4) as threads:
        for vectors in threads.map(embedder.embed, [texts] * 8):
            assert vectors.tobytes() == expected


def test_two_loads_give_the_same_bits(embedder: Embedder) -> None:
    again = Embedder(default_folder())
    text = [TRIPLES[0][0]]
    assert again.embed(text).tobytes() == embedder.embed(text).tobytes()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux only")
def test_weights_are_mapped_not_copied(embedder: Embedder) -> None:
    embedder.embed(["load"])
    weights = default_folder() / WEIGHTS_FILE
    assert str(weights.resolve()) in Path("/proc/self/maps").read_text()


def test_texts_cost_no_new_pages(embedder: Embedder) -> None:
    """Given back to the kernel and fetched anew, they cost as much as the model."""
    texts = ["word " * 120] * 50
    embedder.embed(texts)
    before = getrusage(RUSAGE_THREAD).ru_minflt
    embedder.embed(texts)
    assert getrusage(RUSAGE_THREAD).ru_minflt - before < len(texts)
