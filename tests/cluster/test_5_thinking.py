"""Streams that move while pods come and go."""

from collections.abc import Callable, Iterator

import pytest
from tests.support.cluster.installation import Installation, assert_unbroken
from tests.support.cluster.thinking import (
    await_shares,
    bound_pods,
    longest_pause_s,
    make_quick_minds,
    remove_quick_minds,
    think_on,
)

# A pod that is told to end hands its streams over. What it kept would stand still until
# its lease runs out: no sooner than after 7.5 s, for it is renewed each 2.5 s.
HANDED_OVER_S = 6.0


@pytest.fixture
def busy_mind(mind: Installation) -> Iterator[Installation]:
    """The mind with quick streams; afterwards as it was."""
    make_quick_minds(mind)
    bounds = bound_pods(mind, 1, 1)
    yield mind
    bound_pods(mind, **bounds)
    remove_quick_minds(mind)
    mind.settle()


@pytest.mark.timeout(900)
def test_streams_follow_the_pods_without_a_gap(
    busy_mind: Installation, figure: Callable[[str, str], None]
) -> None:
    await_shares(busy_mind, 1)
    before = think_on(busy_mind)
    for pods in (4, 2):
        bound_pods(busy_mind, pods, pods)
        shares = await_shares(busy_mind, pods)
        after = think_on(busy_mind)
        pause_s = longest_pause_s(before, after)
        figure(
            f"thought-generator to {pods} pods",
            f"streams {shares}, longest pause of one {pause_s:.1f} s",
        )
        for key, chain in after.items():
            assert_unbroken(chain)
            assert chain[: len(before[key])] == before[key]
        before = after
    # Of the last step, in which two pods ended and none began.
    assert pause_s <= HANDED_OVER_S
