"""The pace of a stream: even, jittered, and never hurried."""

from itertools import pairwise

import pytest

from thought_generator.domain.pace import JITTER, Pace

INTERVAL_S = 8.0


def beats(took_s: list[float], factor: float = 1.0) -> tuple[list[float], int]:
    """When beats that take so long begin, one after the other; how many are skipped."""
    pace, now_s, begun, skipped = Pace(INTERVAL_S, 0.0), 0.0, [], 0
    for each_s in took_s:
        now_s = max(now_s, pace.due_s)
        begun.append(now_s)
        skipped += pace.beaten(now_s, now_s + each_s, factor)
        now_s += each_s
    return begun, skipped


def gaps(begun: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(begun)]


def test_beats_keep_the_interval_over_a_long_time() -> None:
    begun, skipped = beats([1.0] * 1000)
    assert begun[-1] == pytest.approx(999 * INTERVAL_S, abs=JITTER * INTERVAL_S)
    assert skipped == 0


def test_beats_are_not_in_step() -> None:
    distances = gaps(beats([1.0] * 1000)[0])
    assert max(distances) <= INTERVAL_S * (1 + 2 * JITTER) + 1e-9
    assert max(distances) - min(distances) > JITTER * INTERVAL_S


@pytest.mark.parametrize("long_s", [9.0, 20.0, 3600.0])
def test_what_was_missed_is_skipped_and_never_made_up_for(long_s: float) -> None:
    begun, skipped = beats([1.0] * 10 + [long_s] + [1.0] * 10)
    assert min(gaps(begun)) >= INTERVAL_S * (1 - 2 * JITTER) - 1e-9
    missed = (long_s - INTERVAL_S) / INTERVAL_S
    assert skipped == pytest.approx(missed, abs=1)


def test_a_beat_that_waited_for_its_turn_is_not_followed_at_once() -> None:
    pace = Pace(INTERVAL_S, 0.0)
    begun_s = 0.95 * INTERVAL_S
    assert pace.beaten(begun_s, begun_s + 0.1, 1.0) == 0
    assert pace.due_s >= begun_s + (1 - 2 * JITTER) * INTERVAL_S


def test_beats_that_are_always_too_long_are_counted_against_the_interval() -> None:
    begun, skipped = beats([INTERVAL_S * 1.25] * 401)
    assert gaps(begun) == pytest.approx([INTERVAL_S * 1.25] * 400)
    assert skipped == pytest.approx(100, abs=1)


def test_a_slower_stream_waits_longer_and_skips_nothing() -> None:
    begun, skipped = beats([1.0] * 100, factor=2.0)
    assert begun[-1] == pytest.approx(99 * 2 * INTERVAL_S, abs=2 * JITTER * INTERVAL_S)
    assert skipped == 0


def test_what_is_dozed_away_is_not_skipped() -> None:
    pace = Pace(INTERVAL_S, 0.0)
    pace.put_off(1000.0)
    assert pace.due_s == 1000.0
    assert pace.beaten(1000.0, 1001.0, 1.0) == 0
    assert pace.due_s == pytest.approx(1000 + INTERVAL_S, abs=JITTER * INTERVAL_S)
