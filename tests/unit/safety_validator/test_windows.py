"""Windows hold every token, overlap, and are few."""

import itertools

import pytest

from safety_validator.domain.windows import (
    SINGLE_TOKENS,
    STRIDE_TOKENS,
    WINDOW_TOKENS,
    windows,
)


@pytest.mark.parametrize("count", [0, 1, WINDOW_TOKENS, SINGLE_TOKENS])
def test_a_short_text_is_one_window(count: int) -> None:
    assert windows(count) == [(0, count)]


@pytest.mark.parametrize("count", [*range(SINGLE_TOKENS + 1, 400), 12_345])
def test_what_one_window_cuts_another_holds(count: int) -> None:
    spans = windows(count)
    assert spans[0][0] == 0
    assert spans[-1][1] == count
    assert {end - start for start, end in spans} == {WINDOW_TOKENS}
    shared = WINDOW_TOKENS - STRIDE_TOKENS
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end - start >= shared
    assert len(spans) <= 2 + (count - WINDOW_TOKENS) // STRIDE_TOKENS
