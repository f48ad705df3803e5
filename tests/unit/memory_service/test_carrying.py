"""Which thoughts go with the memory that they are about."""

import pytest

from memory_service.domain.carrying import Carried

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
