"""Waiting for what is to come true, instead of for a time."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_S = 0.02


async def until(true: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    """Returns when it is true; AssertionError when it does not become so."""
    try:
        async with asyncio.timeout(within_s):
            while not await true():
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not true within {within_s} s") from None
