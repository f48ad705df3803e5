"""The scores of coherence, on minds whose score is known beforehand."""

import random
from typing import Any

import numpy as np
import pytest
from benchmarks.coherence import (
    CELL_S,
    Hour,
    Link,
    Pace,
    Share,
    Vectors,
    alive_score,
    chance_threshold,
    continuity_score,
    contradicts,
    count_cells,
    count_chains,
    loops,
    lower_bound,
    recall_score,
    strongest_links,
    system_score,
    thread_score,
)
from numpy.typing import NDArray

PACE = Pace(beat_s=12.5, real_beat_s=0.1, longest_s=30.0, speed=125.0)
THOUGHTS = 6_912
DIMENSION = 48
A_DAY = 24


def chain(count: int, stream: str = "primary", since: int = 1) -> list[Link]:
    return [
        Link(f"{stream}{seq}", stream, seq, f"{stream}{seq - 1}", seq / 10)
        for seq in range(since, count + 1)
    ]


def continuity(seen: list[Link], standing: list[Link]) -> float:
    hours = [Hour() for _ in range(4)]
    count_chains(seen, standing, hours, 25)
    return continuity_score(hours)


def test_a_whole_chain_is_whole() -> None:
    links = [*chain(100), *chain(50, "creative")]
    assert continuity(links, links[::-1]) == 1


@pytest.mark.parametrize(
    ("seen", "standing", "wrong"),
    [
        # Lost: from the middle, and from the end, where only who saw it knows.
        (chain(100), chain(100)[:40] + chain(100)[43:], 3),
        (chain(100), chain(97), 3),
        # Shown with one thought, standing with another.
        ([Link("other", "primary", 7, "primary6", 0.7)], chain(100), 1),
        # Out of order.
        (
            [],
            [
                *chain(100)[:50],
                Link("primary51", "primary", 51, "primary3", 5.1),
                *chain(100)[51:],
            ],
            1,
        ),
    ],
)
def test_each_wrong_place_counts_once(
    seen: list[Link], standing: list[Link], wrong: int
) -> None:
    assert continuity(seen, standing) == pytest.approx(1 - wrong / 100)


def test_a_mind_that_begins_anew_is_not_whole() -> None:
    anew = [Link(f"new{n}", "primary", n, f"new{n - 1}", n) for n in range(1, 101)]
    assert continuity(chain(100), anew) == 0


def alive(times: list[float], ends_s: float, pace: Pace = PACE) -> Share:
    hours = [Hour() for _ in range(A_DAY)]
    count_cells({"primary": times}, ends_s, pace, hours)
    return Share(sum(h.alive.good for h in hours), sum(h.alive.all for h in hours))


def beats(count: int, since_s: float = 0.0) -> list[float]:
    return [since_s + 0.1 * number for number in range(count)]


def test_a_day_of_beats_has_all_its_cells() -> None:
    times = beats(THOUGHTS + 1)
    assert alive(times, times[-1]) == Share(288, 288)


def test_a_restart_is_as_long_as_it_was() -> None:
    times = [*beats(3_000), *beats(3_000, since_s=320.0)]
    found = alive(times, times[-1])
    # Twenty seconds do not make a cell empty.
    assert found.good == found.all


def test_who_stops_for_long_is_not_alive_meanwhile() -> None:
    # A tenth of the run, as the others went on.
    times = [*beats(3_000), *beats(3_000, since_s=300.0 + 69.12)]
    found = alive(times, times[-1])
    assert found.all - found.good == pytest.approx(69.12 * 125 / CELL_S, abs=1)


def test_who_stops_for_good_is_dead_until_the_end() -> None:
    times = beats(THOUGHTS // 2)
    found = alive(times, 691.2)
    assert found.good / found.all == pytest.approx(0.5, abs=0.01)


def test_an_outage_of_the_model_stands_for_its_length() -> None:
    times = [*beats(3_000), *beats(3_000, since_s=307.0)]
    outage = (300.0, 306.0)
    pace = Pace(12.5, 0.1, 30.0, 125.0, outage, 600.0)
    found = alive(times, times[-1], pace)
    # Ten minutes are one whole cell, or two.
    assert found.all - found.good in {1, 2}
    left_out = Pace(12.5, 0.1, 30.0, 125.0, outage, 0.0)
    found = alive(times, times[-1], left_out)
    assert found.good == found.all


def hour_of(kept: float, clean: float, chained: float, alive: float) -> Hour:
    shares = (
        Share(round(1_000 * part), 1_000) for part in (kept, clean, chained, alive)
    )
    return Hour(*shares)


def test_the_score_is_the_lowest() -> None:
    hours = [hour_of(0.99, 0.98, 1, 0.97)] * 24
    assert recall_score(hours) == 0.98
    assert alive_score(hours) == 0.97
    assert system_score(hours) == 0.97
    assert lower_bound(hours) == 0.97


def test_one_bad_hour_lowers_the_bound_more_than_the_score() -> None:
    hours = [hour_of(1, 1, 1, 1)] * 23 + [hour_of(0, 1, 1, 1)]
    assert system_score(hours) == pytest.approx(23 / 24)
    assert lower_bound(hours) == pytest.approx(21 / 24)


def test_nothing_asked_is_nothing_missed() -> None:
    assert recall_score([Hour()]) == 1


# Synthetic thoughts: each near an item of its context, contexts far from each other.


def unit(vectors: NDArray[Any]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)


@pytest.fixture(scope="module")
def thinking() -> tuple[Vectors, list[Vectors], list[int]]:
    """Thoughts, their contexts, and the hour of each."""
    chance = np.random.default_rng(24)
    contexts, thoughts, hours = [], [], []
    for number in range(240):
        items = unit(chance.normal(size=(6, DIMENSION)))
        contexts.append(items)
        thoughts.append(items[0] + 0.05 * chance.normal(size=DIMENSION))
        hours.append(number // 10)
    return unit(np.array(thoughts)), contexts, hours


def linked(thoughts: Vectors, contexts: list[Vectors], threshold: float) -> list[bool]:
    return [bool(link >= threshold) for link in strongest_links(thoughts, contexts)]


def test_thoughts_that_follow_are_linked_and_shuffled_ones_are_not(
    thinking: tuple[Vectors, list[Vectors], list[int]],
) -> None:
    thoughts, contexts, hours = thinking
    threshold = chance_threshold(thoughts, contexts, hours)
    none = [False] * len(hours)
    following = linked(thoughts, contexts, threshold)
    assert thread_score(following, none, none, hours) == 1
    shuffled = contexts[:]
    random.Random(24).shuffle(shuffled)
    by_chance = linked(thoughts, shuffled, threshold)
    assert thread_score(by_chance, none, none, hours) <= 0.10


def test_a_looping_generator_has_no_thread(
    thinking: tuple[Vectors, list[Vectors], list[int]],
) -> None:
    thoughts, _, hours = thinking
    texts = ["The tide is low, the boats lie in the mud, and so it goes on."] * 240
    looping = loops(texts, thoughts)
    assert looping == [False, *[True] * 239]
    following = [True] * 240
    assert thread_score(following, looping, [False] * 240, hours) <= 0.10


def test_a_loop_is_known_by_words_or_by_meaning(
    thinking: tuple[Vectors, list[Vectors], list[int]],
) -> None:
    thoughts, _, _ = thinking
    different = [f"w{n} x{n} y{n} z{n} a{n} b{n}" for n in range(240)]
    assert not any(loops(different, thoughts))
    again = thoughts.copy()
    again[150], again[239] = thoughts[100], thoughts[20]
    # What is more than 200 thoughts ago is no loop.
    assert [n for n, found in enumerate(loops(different, again)) if found] == [150]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Ada lives in Bergen, by the water.", False),
        ("Ada lives in Oslo. It rains there.", True),
        ("Does Ada live in Oslo?", False),
        ("Ada moved from Oslo to Bergen.", False),
        ("Oslo is far. Ada is calm.", False),
    ],
)
def test_a_contradiction_names_another_value(text: str, wrong: bool) -> None:
    facts = {"Ada": ("Bergen", frozenset({"Bergen", "Oslo", "Rome"}))}
    assert contradicts(text, facts) is wrong


def test_a_mind_that_contradicts_itself_loses_its_thread() -> None:
    score = thread_score([True] * 4, [False] * 4, [True, False] * 2, [0, 0, 1, 1])
    assert score == 0.5
