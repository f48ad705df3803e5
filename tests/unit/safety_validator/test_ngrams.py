"""The regression over n-grams: each window by itself, whatever stands around it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from safety_validator.domain.ngrams import BUCKETS, ORDERS, NGrams, buckets
from safety_validator.domain.windows import windows


@pytest.fixture(scope="module")
def ngrams() -> NGrams:
    chance = np.random.default_rng(3)
    weights = chance.integers(-127, 128, (BUCKETS, 3)).astype(np.int8)
    scales = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    return NGrams(weights, scales, np.array([1, 2, 3], dtype=np.float32))


def ids(*numbers: int) -> NDArray[np.int32]:
    return np.array(numbers, dtype=np.int32)


def test_a_window_is_read_as_if_it_were_alone(ngrams: NGrams) -> None:
    tokens = np.random.default_rng(5).integers(0, 30_522, 500).astype(np.int32)
    spans = [*windows(len(tokens) - 4), (496, 498), (498, 499), (499, 500)]
    together = ngrams.logits(tokens, spans)
    for (start, end), row in zip(spans, together, strict=True):
        (alone,) = ngrams.logits(tokens[start:end], [(0, end - start)])
        np.testing.assert_allclose(row, alone, rtol=1e-6)


def test_a_logit_is_the_scaled_sum_of_weights(ngrams: NGrams) -> None:
    tokens = ids(7, 8, 9)
    found = np.concatenate(list(buckets(tokens)))
    assert len(found) == 6
    total = ngrams.weights[found].astype(int).sum(axis=0)
    expected = total / np.sqrt(6) * ngrams.scales + ngrams.biases
    np.testing.assert_allclose(ngrams.logits(tokens, [(0, 3)])[0], expected, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_tokens_have_few_ngrams(ngrams: NGrams, count: int) -> None:
    tokens = ids(*range(count))
    assert [len(found) for found in buckets(tokens)] == list(range(count, 0, -1))
    assert ngrams.logits(tokens, [(0, count)]).shape == (1, 3)


def test_the_order_of_tokens_counts() -> None:
    there, back = (list(buckets(ids(*order))) for order in ((1, 2, 3), (3, 2, 1)))
    assert len(there) == len(ORDERS)
    assert set(there[0]) == set(back[0])
    assert not set(there[1]) & set(back[1])
    assert set(there[2]) != set(back[2])
