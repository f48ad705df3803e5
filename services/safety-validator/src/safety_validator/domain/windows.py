"""A text's tokens in windows: a model finds little in what is much longer."""

__all__ = ["SINGLE_TOKENS", "STRIDE_TOKENS", "WINDOW_TOKENS", "windows"]

# Without the two special tokens. Up to here, nearly all texts of 300 characters, a
# text is read in one piece: a second window for its last words would cost more.
SINGLE_TOKENS = 110
WINDOW_TOKENS = 62
# What one window cuts in two, the next one holds whole, up to 16 tokens.
STRIDE_TOKENS = 46


def windows(count: int) -> list[tuple[int, int]]:
    """[start, end) of each window over so many tokens, evenly spread.

    An empty text has one window without tokens.
    """
    if count <= SINGLE_TOKENS:
        return [(0, count)]
    last = count - WINDOW_TOKENS
    steps = -(-last // STRIDE_TOKENS)
    starts = (step * last // steps for step in range(steps + 1))
    return [(start, start + WINDOW_TOKENS) for start in starts]
