"""Which thoughts go with the memory that they are about."""

import pytest

from memory_service.carrying import Carried, Outdated

SECRET = "Nora's surgeon at the Altmark clinic is Doctor Feldmann, room 417."


@pytest.mark.parametrize(
    ("thought", "carries"),
    [
        ("Doctor Feldmann of the Altmark clinic is Nora's surgeon.", True),
        ("I wonder who sits in room 417.", True),
        ("A surgeon works at the clinic near the room where I sat.", False),
        ("It is what it is, and at the end of the day that is all.", False),
        ("The ferry leaves at seven.", False),
    ],
)
def test_half_of_the_telling_words_or_a_number(thought: str, carries: bool) -> None:
    assert Carried([SECRET]).by(thought) is carries


def test_any_version_counts() -> None:
    carried = Carried(["Ada lives in Rome", "Ada lives in Milan"])
    assert carried.by("Milan must be where Ada is now")
    assert carried.by("Rome must be where Ada was")
    assert not carried.by("Paris is nice")


def test_of_stop_words_alone_all_count() -> None:
    assert Carried(["it is so"]).by("is it so?")
    assert not Carried(["it is so"]).by("never mind")


KEY = "Ada keeps the spare key to the boathouse under the {}."


@pytest.mark.parametrize(
    ("thought", "says"),
    [
        (f"“{KEY.format('lantern')}” How fitting.", True),
        ("The boathouse: Ada keeps its spare key under a lantern.", True),
        (KEY.format("anvil"), False),
        ("Bruno keeps the spare key to the chapel under the lantern.", False),
        ("A lantern stands by the boathouse.", False),
    ],
)
def test_what_was_corrected_is_told_from_what_was_not(thought: str, says: bool) -> None:
    outdated = Outdated(KEY.format("lantern"), KEY.format("anvil"))
    assert outdated.by(thought) is says


def test_what_was_only_added_to_is_not_outdated() -> None:
    outdated = Outdated("Ada keeps bees.", "Ada keeps bees, and two goats.")
    assert not outdated.by("Ada keeps bees.")


def test_a_number_that_was_corrected_is_telling_by_itself() -> None:
    outdated = Outdated(SECRET, SECRET.replace("417", "418"))
    assert outdated.by("I wonder who sits in room 417.")
    assert not outdated.by("I wonder who sits in room 418.")
