"""When a server is left alone, and how it is tried again."""

import pytest

from thought_generator.errors import EngineUnavailable
from thought_generator.metrics import BREAKER_STATE
from thought_generator.providers.breaker import (
    FAILURES_TO_OPEN,
    FIRST_REST_S,
    LONGEST_REST_S,
    MAX_RETRY_AFTER_S,
    PROBE_S,
    SPREAD,
    Breaker,
    State,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        breaker.failed(breaker.enter())


def refused_for_s(breaker: Breaker) -> float:
    with pytest.raises(EngineUnavailable) as met:
        breaker.enter()
    assert met.value.retry_after_s is not None
    return met.value.retry_after_s


def state() -> float:
    (metric,) = BREAKER_STATE.collect()
    (sample,) = metric.samples
    return float(sample.value)


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, FAILURES_TO_OPEN - 1)
    assert (breaker.enter(), state()) == (False, State.CLOSED)
    fail(breaker, 1)
    assert FIRST_REST_S <= refused_for_s(breaker) <= FIRST_REST_S * (1 + SPREAD)
    assert state() == State.OPEN


def test_an_answer_between_failures_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker, FAILURES_TO_OPEN - 1)
        breaker.answered(breaker.enter())
    assert breaker.enter() is False


def test_exactly_one_call_probes(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now_s += breaker.rest_s
    assert breaker.enter() is True
    assert state() == State.HALF_OPEN
    assert [refused_for_s(breaker) for _ in range(3)] == [PROBE_S] * 3
    breaker.answered(True)
    assert [breaker.enter() for _ in range(3)] == [False] * 3
    assert state() == State.CLOSED


def test_each_failed_probe_doubles_the_rest_up_to_the_longest(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker)
    rest_s = FIRST_REST_S
    for _ in range(8):
        assert rest_s <= breaker.rest_s <= rest_s * (1 + SPREAD)
        clock.now_s += breaker.rest_s
        breaker.failed(breaker.enter())
        rest_s = min(rest_s * 2, LONGEST_REST_S)
    clock.now_s += breaker.rest_s
    breaker.answered(breaker.enter())
    fail(breaker)
    assert breaker.rest_s <= FIRST_REST_S * (1 + SPREAD)


def test_a_long_pause_that_the_server_asks_for_opens_it_at_once(
    breaker: Breaker, clock: Clock
) -> None:
    breaker.failed(breaker.enter(), asked_s=50 * 86_400)
    assert refused_for_s(breaker) == MAX_RETRY_AFTER_S
    clock.now_s += MAX_RETRY_AFTER_S
    breaker.failed(breaker.enter(), asked_s=120)
    assert 120 <= refused_for_s(breaker) <= 150


def test_a_probe_that_was_given_up_leaves_its_place(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker)
    clock.now_s += breaker.rest_s
    breaker.left(breaker.enter())
    assert breaker.enter() is True


def test_calls_from_before_say_nothing_about_the_rest(breaker: Breaker) -> None:
    early = [breaker.enter() for _ in range(3)]
    fail(breaker)
    rest_s = breaker.rest_s
    breaker.answered(early[0])
    breaker.failed(early[1], asked_s=200)
    breaker.left(early[2])
    assert refused_for_s(breaker) == rest_s
