"""Which values are the same value, and which texts have one in them."""

import pytest

from memory_service.digests import (
    MIN_PHRASE_WORDS,
    Digester,
    contains_phrase,
    texts_of,
    words_of,
)

KEY = bytes(32)
AGENT = Digester(KEY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like pears.", "i LIKE  pears"),
        ("I like pears.", "“I like pears!”"),
        ("I like pears.", "I really like the pears."),
        ("Straße 5", "STRASSE 5"),
        ("ﬁsh and chips", "fish and chips"),
        ("ＰＩＮ ４７１１", "pin 4711"),
        ("Zoe\u0308", "Zoë"),
        ("pear\u200btree", "pear tree"),
        ("The the", "the THE"),
    ],
)
def test_the_same_value(one: str, other: str) -> None:
    assert AGENT.digest_text(one) == AGENT.digest_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like pears.", "I like plums."),
        ("The PIN is 4711.", "The PIN is 4712."),
        ("Ann told Bob.", "Bob told Ann."),
        ("I like C.", "I like C++."),
        ("5 €", "5 $"),
        ("I feel 🙂", "I feel 😢"),
        ("我的密码是4711", "我的密码是4712"),
        ("...", "?!"),
    ],
)
def test_another_value(one: str, other: str) -> None:
    assert AGENT.digest_text(one) != AGENT.digest_text(other)


def test_digests_are_keyed_by_the_agent() -> None:
    other = Digester(b"another key, of another agent...")
    assert AGENT.digest_text("4711") != other.digest_text("4711")


TEXT = "Yesterday Carla Rossi told me: my PIN is 4711, not 4712."


@pytest.mark.parametrize(
    ("phrase", "found"),
    [
        ("Carla Rossi", True),
        ("carla  ROSSI!", True),
        ("my PIN is 4711", True),
        ("told me my PIN is 4711 not", True),
        ("yesterday", True),
        ("4712", True),
        ("Rossi Carla", False),
        ("my PIN is 4712", False),
        ("PIN is 4711 not 4712 indeed", False),
        ("471", False),
        ("Car", False),
    ],
)
def test_a_phrase_within_a_text(phrase: str, found: bool) -> None:
    assert contains_phrase(TEXT, words_of(phrase)) is found
    burial = AGENT.burial(phrase, 1)
    assert burial.anchor is not None
    assert burial.words is not None
    watching = Digester(KEY, [1, 2, 3, 4])
    windows = watching.windows(TEXT)
    phrases = watching.phrases(windows, [(burial.anchor, burial.words)])
    assert (burial.phrase in phrases) is found


@pytest.mark.parametrize("sign", [chr(code) for code in range(128)])
def test_words_of_ascii_are_those_beside_other_letters(sign: str) -> None:
    text = f"Ab{sign}c {sign} {sign}{sign} 5{sign}"
    assert [*words_of(text), "é"] == words_of(f"{text} é")
    assert words_of(sign) == words_of(f"{sign}\u3000")


def test_a_phrase_in_a_script_without_spaces() -> None:
    assert contains_phrase("他说我的银行密码是4711。", words_of("银行密码"))
    assert not contains_phrase("他说我的银行密码是4711。", words_of("银密"))


def test_a_short_value_counts_as_a_whole_only() -> None:
    assert AGENT.burial("Yes.", MIN_PHRASE_WORDS).anchor is None
    assert AGENT.burial("My PIN is 4711.", MIN_PHRASE_WORDS).words == 4


def test_metadata_says_something_too() -> None:
    metadata = {"who": {"name": "Carla"}, "tags": ["a", 5, None, ["deep"]]}
    assert texts_of("told", metadata) == [
        "told", "who", "name", "Carla", "tags", "a", "deep",
    ]  # fmt: skip
