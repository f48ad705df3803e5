"""A text's tokens in windows: a model finds little in what is much longer."""

from collections.abc import Iterator, Sequence

__all__ = ["SINGLE_TOKENS", "STRIDE_TOKENS", "WINDOW_TOKENS", "sentences", "windows"]

# Without the two special tokens. Up to here, nearly all texts of 300 characters, a
# text is read in one piece: a second window for its last words would cost more.
SINGLE_TOKENS = 110
WINDOW_TOKENS = 62
# What one window cuts in two, the next one holds whole, up to 16 tokens.
STRIDE_TOKENS = 46
# Fewer say too little by themselves.
MIN_SENTENCE_TOKENS = 6

Window = tuple[int, int]


def windows(count: int, ends: Sequence[int] = ()) -> list[Window]:
    """[start, end) of each window over so many tokens.

    Whole sentences, as many as fit; a longer one is several windows, evenly spread.
    `ends` has the place behind each sentence, in order. An empty text has one window
    without tokens.
    """
    if count <= SINGLE_TOKENS:
        return [(0, count)]
    found: list[Window] = []
    start = last = 0
    for end in (*ends, count):
        if end - start > WINDOW_TOKENS:
            if last > start:
                found.append((start, last))
                start = last
            if end - start > WINDOW_TOKENS:
                found += _spread(start, end)
                start = end
        last = end
    if start < count:
        found.append((start, count))
    return found


def sentences(window: Window, ends: Sequence[int]) -> list[Window]:
    """The sentences of a window, each a window; none where it is but one itself.

    Those too short to say something are part of the next; the last of them is left out.
    """
    found: list[Window] = []
    start, stop = window
    for end in (*(end for end in ends if start < end < stop), stop):
        if end - start >= MIN_SENTENCE_TOKENS:
            found.append((start, end))
            start = end
    return found if len(found) > 1 else []


def _spread(start: int, end: int) -> Iterator[Window]:
    last = end - start - WINDOW_TOKENS
    steps = -(-last // STRIDE_TOKENS)
    for step in range(steps + 1):
        first = start + step * last // steps
        yield first, first + WINDOW_TOKENS
