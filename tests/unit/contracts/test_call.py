"""What one call carries on to the next."""

import asyncio
import time

import pytest

from contracts import call


@pytest.mark.parametrize(
    ("left_s", "at_most_s", "expected_s"),
    [(None, 2.0, 2.0), (60.0, 2.0, 2.0), (1.0, 2.0, 1.0), (0.0, 2.0, 0.0), (-9, 2, 0)],
)
async def test_what_remains_is_the_nearer_end(
    left_s: float | None, at_most_s: float, expected_s: float
) -> None:
    call.deadline_s.set(None if left_s is None else time.monotonic() + left_s)
    remaining_s = call.remaining_s(at_most_s)
    assert max(0.0, expected_s - 0.5) <= remaining_s <= expected_s
    call.deadline_s.set(None)


@pytest.mark.parametrize(
    ("timeout_s", "told_ms"), [(2.0, "2000"), (0.0014, "1"), (0.0, "1"), (-1.0, "1")]
)
def test_the_next_is_told_whole_milliseconds(timeout_s: float, told_ms: str) -> None:
    assert call.outgoing_headers(timeout_s)["X-Request-Timeout-Ms"] == told_ms


async def test_calls_side_by_side_do_not_mix() -> None:
    async def carry(name: str) -> str:
        call.request_id.set(name)
        await asyncio.sleep(0)
        return call.outgoing_headers(1.0)["X-Request-ID"]

    names = [str(number) for number in range(20)]
    assert await asyncio.gather(*map(carry, names)) == names
