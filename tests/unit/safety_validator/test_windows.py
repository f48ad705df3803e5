"""Windows hold every token and are few; they end where sentences do, or overlap."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_validator.domain.windows import (
    SINGLE_TOKENS,
    STRIDE_TOKENS,
    WINDOW_TOKENS,
    sentences,
    windows,
)

LONGEST = 20 * SINGLE_TOKENS


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


@given(st.sets(st.integers(1, LONGEST - 1)), st.integers(SINGLE_TOKENS + 1, LONGEST))
def test_windows_are_of_whole_sentences(ends: set[int], count: int) -> None:
    places = sorted(end for end in ends if end < count)
    spans = windows(count, places)
    assert {token for span in spans for token in range(*span)} == set(range(count))
    assert spans == sorted(set(spans))
    bounds = [0, *places, count]
    for first, last in itertools.pairwise(bounds):
        if last - first <= WINDOW_TOKENS:
            assert any(start <= first and last <= end for start, end in spans)
    # Two neighbours without a longer sentence would not have gone into one.
    for (start, middle), (_, end) in itertools.pairwise(spans):
        assert middle - start <= WINDOW_TOKENS
        if start in bounds and end in bounds and middle in bounds:
            after = min(bound for bound in bounds if bound > middle)
            assert after - start > WINDOW_TOKENS


@pytest.mark.parametrize(
    ("window", "ends", "expected"),
    [
        ((10, 60), [], []),
        ((10, 60), [5, 10, 60, 70], []),
        ((10, 60), [5, 10, 30, 70], [(10, 30), (30, 60)]),
        ((10, 60), [12, 30, 40], [(10, 30), (30, 40), (40, 60)]),
        ((10, 60), [30, 58], [(10, 30), (30, 58)]),
        ((10, 60), [11, 12, 13], []),
    ],
)
def test_a_window_has_the_sentences_within_it(
    window: tuple[int, int], ends: list[int], expected: list[tuple[int, int]]
) -> None:
    assert sentences(window, ends) == expected
