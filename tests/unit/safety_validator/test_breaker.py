"""When a server is left alone, and when it is tried again."""

from safety_validator.providers.breaker import (
    FAILURES_TO_OPEN,
    FIRST_REST_S,
    LONGEST_REST_S,
    Breaker,
)


class Clock:
    """A time that only the test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.lets_pass()
        breaker.failed()
    return breaker


def test_a_few_failures_are_bad_luck() -> None:
    breaker = Breaker(Clock())
    for _ in range(5):
        for _ in range(FAILURES_TO_OPEN - 1):
            assert breaker.lets_pass()
            breaker.failed()
        assert breaker.lets_pass()
        breaker.answered()
    assert breaker.lets_pass()


def test_after_more_it_rests_and_then_one_call_passes() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert not breaker.lets_pass()
    clock.now_s = FIRST_REST_S
    assert [breaker.lets_pass() for _ in range(3)] == [True, False, False]
    breaker.answered()
    assert breaker.lets_pass()


def test_each_failed_probe_doubles_the_rest_up_to_the_longest() -> None:
    clock = Clock()
    breaker = opened(clock)
    rest_s = FIRST_REST_S
    for _ in range(10):
        clock.now_s += rest_s * 0.999
        assert not breaker.lets_pass()
        clock.now_s += rest_s * 0.001
        assert breaker.lets_pass()
        breaker.failed()
        rest_s = min(rest_s * 2, LONGEST_REST_S)
    assert rest_s == LONGEST_REST_S


def test_late_failures_of_calls_from_before_change_nothing() -> None:
    clock = Clock()
    breaker = opened(clock)
    for _ in range(100):
        breaker.failed()
    clock.now_s = FIRST_REST_S
    assert breaker.lets_pass()


def test_a_probe_whose_caller_left_is_not_the_last() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s = FIRST_REST_S
    assert breaker.lets_pass()
    breaker.left()
    assert breaker.lets_pass()
