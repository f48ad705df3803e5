"""What shows over a stream: the same thought again and again, rising severity."""

import pytest

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain import behaviour as behaviour_module
from safety_validator.domain.behaviour import Behaviour
from safety_validator.models import Finding, Habits, Submission

HABITS = Habits(
    looping_flag=3, looping_block=5, looping_of=8, rising_block=3, rising_of=5
)
FLAG = Finding(CategoryName.DECEPTION, VerdictName.FLAG, 0.7, "classifier", "c", None)
PRIVATE = FLAG._replace(category=CategoryName.PRIVACY)


def submission(
    content: str,
    stream: str | None = "primary",
    kind: str = "thought",
    agent_id: str = "ana",
) -> Submission:
    return Submission(content, kind, agent_id, stream)


def verdicts(behaviour: Behaviour, texts: list[Submission]) -> list[str]:
    """What looping adds to each of them, `-` for nothing."""
    found = [behaviour.observe(HABITS, text, []) for text in texts]
    return [each[0].verdict if each else "-" for each in found]


def test_the_same_thought_is_flagged_and_then_blocked() -> None:
    same = ["I loop.", "i  LOOP.", "I loop.", "I loop.\n", "I loop.", "I loop."]
    assert verdicts(Behaviour(), [submission(each) for each in same]) == [
        *("-", "-", "flag", "flag", "block", "block")
    ]


def test_looping_says_what_it_is() -> None:
    behaviour = Behaviour()
    for _ in range(2):
        behaviour.observe(HABITS, submission("tea"), [])
    (found,) = behaviour.observe(HABITS, submission("tea"), [])
    assert (found.category, found.layer, found.rule, found.span) == (
        CategoryName.LOOPING,
        "behaviour",
        "behaviour.looping",
        None,
    )
    assert found.score == pytest.approx(3 / 5)


def test_other_thoughts_between_them_let_a_thought_be_again() -> None:
    texts = [f"thought {n}" for n in range(7)]
    round_trip = ["again", *texts] * 4
    assert set(verdicts(Behaviour(), [submission(t) for t in round_trip])) == {"-"}


@pytest.mark.parametrize(
    "texts",
    [
        [submission("same", stream=None)] * 9,
        [submission("same", kind="context")] * 9,
        [submission("same", kind="memory")] * 9,
        [submission("same", stream=f"s{n}") for n in range(9)],
        [submission("same", agent_id=f"a{n}") for n in range(9)],
        [submission("x" * 9_000 + "y" * n) for n in range(9)],
    ],
)
def test_what_is_no_loop(texts: list[Submission]) -> None:
    assert set(verdicts(Behaviour(), texts)) == {"-"}


def test_rising_severity_turns_a_flag_into_a_block() -> None:
    behaviour = Behaviour()
    added = [
        behaviour.observe(HABITS, submission(f"text {n}", kind="context"), [FLAG])
        for n in range(4)
    ]
    assert [len(each) for each in added] == [0, 0, 1, 1]
    (found,) = added[2]
    assert (found.category, found.verdict, found.rule) == (
        CategoryName.DECEPTION,
        VerdictName.BLOCK,
        "behaviour.rising",
    )
    assert behaviour.observe(HABITS, submission("harmless"), []) == []


@pytest.mark.parametrize("stream", [None, "primary"])
@pytest.mark.parametrize("found", [[], [PRIVATE]])
def test_what_does_not_rise(stream: str | None, found: list[Finding]) -> None:
    behaviour = Behaviour()
    for n in range(9):
        assert not behaviour.observe(HABITS, submission(f"t {n}", stream), found)


def test_one_text_asked_about_often_does_not_rise() -> None:
    behaviour = Behaviour()
    for _ in range(9):
        text = submission("the same context", kind="context")
        assert behaviour.observe(HABITS, text, [FLAG]) == []


def test_a_stream_recovers() -> None:
    behaviour = Behaviour()
    for n in range(5):
        behaviour.observe(HABITS, submission(f"dark {n}"), [FLAG])
    for n in range(2):
        behaviour.observe(HABITS, submission(f"light {n}"), [])
    assert behaviour.observe(HABITS, submission("dark again"), [FLAG])
    for n in range(2, 5):
        behaviour.observe(HABITS, submission(f"light {n}"), [])
    assert not behaviour.observe(HABITS, submission("dark at last"), [FLAG])


def test_streams_are_forgotten_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour_module, "MAX_STREAMS", 2)
    behaviour = Behaviour()
    for _ in range(2):
        verdicts(behaviour, [submission("same", "one"), submission("same", "two")])
    verdicts(behaviour, [submission("same", "two"), submission("same", "three")])
    assert verdicts(behaviour, [submission("same", "two")]) == ["flag"]
    assert verdicts(behaviour, [submission("same", "one")]) == ["-"]
