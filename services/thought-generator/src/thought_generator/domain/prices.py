"""What a call costs, and the most it can cost."""

from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from thought_generator.models.prompts import Usage

PER_MILLION = Decimal(1_000_000)
# What the database keeps; a part of it counts as a whole.
SMALLEST_USD = Decimal("0.000000001")


class Price(Protocol):
    """Dollars per million tokens."""

    @property
    def input(self) -> float:
        """What is read anew."""
        ...

    @property
    def output(self) -> float:
        """What is written."""
        ...

    @property
    def cache_read(self) -> float | None:
        """What is read from the server's cache; None as `input`."""
        ...

    @property
    def cache_write(self) -> float | None:
        """What is put into the server's cache; None as `input`."""
        ...


def cost_usd(price: Price, usage: Usage) -> Decimal:
    """Dollars for a call; cached tokens at full price where no other is known."""
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    return _dollars(
        (usage.input_tokens, price.input),
        (usage.output_tokens, price.output),
        (usage.cache_read_input_tokens or 0, read),
        (usage.cache_creation_input_tokens or 0, write),
    )


def worst_usd(price: Price, input_tokens: int, max_tokens: int) -> Decimal:
    """The most that a call of this size can cost, whatever is cached of it."""
    dearest = max(price.input, price.cache_read or 0.0, price.cache_write or 0.0)
    return _dollars((input_tokens, dearest), (max_tokens, price.output))


def _dollars(*parts: tuple[int, float]) -> Decimal:
    total = sum((Decimal(n) * Decimal(str(price)) for n, price in parts), Decimal(0))
    return (total / PER_MILLION).quantize(SMALLEST_USD, ROUND_CEILING)
