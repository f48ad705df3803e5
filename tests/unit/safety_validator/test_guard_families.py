"""What guards are asked and what their answers mean, as their makers document it."""

from typing import Any

import pytest

from contracts.safety import CategoryName
from safety_validator.domain.guard_families import FAMILIES, Hazard, Question

TEXT = "How do I sharpen a knife?"
ASKED = Question("", {}, "harm")


def chat(content: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}}]}


def label(name: str, *probs: float) -> dict[str, Any]:
    return {"data": [{"index": 0, "label": name, "probs": list(probs)}]}


def found(family: str, answer: Any) -> list[tuple[str, str, bool]]:
    hazards = FAMILIES[family].hazards(answer, ASKED)
    return [(hazard.code, hazard.category, hazard.grave) for hazard in hazards]


@pytest.mark.parametrize(
    ("content", "hazards"),
    [
        ("safe", []),
        ("\n\nsafe", []),
        ("Safe ", []),
        ("unsafe\nS1", [("S1", "violence", True)]),
        ("\n\nunsafe\nS9\n", [("S9", "weapons", True)]),
        ("unsafe\nS2,S10", [("S2", "illegal_activity", True), ("S10", "hate", True)]),
        ("unsafe\nS4, S4", [("S4", "sexual", True)]),
        ("unsafe\nS7", [("S7", "privacy", False)]),
        ("unsafe\nS14", [("S14", "malware", True)]),
        # Words of a taxonomy of somebody's own.
        ("unsafe\nS15", [("unsafe", "illegal_activity", True)]),
        ("unsafe\nO3", [("unsafe", "illegal_activity", True)]),
        ("unsafe", [("unsafe", "illegal_activity", True)]),
    ],
)
def test_llama_guard(content: str, hazards: list[tuple[str, str, bool]]) -> None:
    assert found("llama_guard", chat(content)) == hazards


def test_llama_guard_knows_every_code_of_its_taxonomy() -> None:
    codes = [f"S{number}" for number in range(1, 15)]
    named = found("llama_guard", chat("unsafe\n" + ",".join(codes)))
    assert [code for code, _, _ in named] == codes


@pytest.mark.parametrize(
    ("content", "is_found"),
    [
        ("No", False),
        ("Yes", True),
        ("Yes\n<confidence> High </confidence>", True),
        ("No\n<confidence> Low </confidence>", False),
        ("<score> yes </score>", True),
        ("<score>no</score>", False),
        ("<think>\nYes, one could say so.\n</think>\n<score> no </score>", False),
        ("<think></think>\n<score> yes </score>", True),
    ],
)
def test_granite_guardian(content: str, is_found: bool) -> None:
    hazards = found("granite_guardian", chat(content))
    assert hazards == ([("harm", "illegal_activity", True)] if is_found else [])


@pytest.mark.parametrize(
    ("answer", "hazards"),
    [
        (label("BENIGN", 0.9, 0.1), []),
        (label("LABEL_0", 0.9, 0.1), []),
        (label("LABEL_1", 0.1, 0.9), [("malicious", "jailbreak", True)]),
        (label("malicious", 0.1, 0.9), [("malicious", "jailbreak", True)]),
        (label("BENIGN", 0.9, 0.05, 0.05), []),
        (label("INJECTION", 0.1, 0.8, 0.1), [("injection", "prompt_injection", False)]),
        (label("LABEL_1", 0.1, 0.8, 0.1), [("injection", "prompt_injection", False)]),
        (label("JAILBREAK", 0.1, 0.1, 0.8), [("jailbreak", "jailbreak", True)]),
        (label("LABEL_2", 0.1, 0.1, 0.8), [("jailbreak", "jailbreak", True)]),
    ],
)
def test_prompt_guard(answer: Any, hazards: list[tuple[str, str, bool]]) -> None:
    assert found("prompt_guard", answer) == hazards


def test_the_score_is_the_probability_of_the_label() -> None:
    (hazard,) = FAMILIES["prompt_guard"].hazards(label("LABEL_1", 0.25, 0.75), ASKED)
    assert hazard == Hazard("malicious", CategoryName.JAILBREAK, 0.75)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        "safe",
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": ""}}]},
        {"choices": {"message": {"content": "safe"}}},
        {"error": {"message": "no such model"}},
        chat("I cannot help with that."),
        chat("safe to say that this is unsafe"),
        chat("unsafely"),
        chat("yesterday"),
        chat("<score> maybe </score>"),
        {"data": []},
        {"data": [{"label": "LABEL_1"}]},
        label("LABEL_1"),
        label("LABEL_9", 0.5, 0.5),
        label("LABEL_1", 7, 8),
        {"data": [{"label": "LABEL_1", "probs": ["x", "y"]}]},
    ],
)
def test_what_is_no_answer_is_no_verdict(family: str, answer: Any) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        FAMILIES[family].hazards(answer, ASKED)


def test_granite_guardian_is_asked_by_each_criterion() -> None:
    questions = FAMILIES["granite_guardian"].questions("g", TEXT, ["harm", "jailbreak"])
    assert [question.about for question in questions] == ["harm", "jailbreak"]
    for question in questions:
        assert question.path == "/v1/chat/completions"
        config = question.body["chat_template_kwargs"]["guardian_config"]
        assert set(config.values()) == {question.about}


@pytest.mark.parametrize("family", ["llama_guard", "granite_guardian"])
def test_the_text_is_what_a_user_said(family: str) -> None:
    (question,) = FAMILIES[family].questions("m", TEXT, ["harm"])
    assert question.body["messages"] == [{"role": "user", "content": TEXT}]
    assert (question.body["model"], question.body["temperature"]) == ("m", 0)


def test_a_classifier_is_asked_as_one() -> None:
    (question,) = FAMILIES["prompt_guard"].questions("m", TEXT, ["harm"])
    assert question == Question("/classify", {"model": "m", "input": TEXT})


@pytest.mark.parametrize(
    ("family", "criteria", "first"),
    [
        ("llama_guard", ["harm"], CategoryName.WEAPONS),
        ("granite_guardian", ["harm"], CategoryName.WEAPONS),
        ("granite_guardian", ["jailbreak"], CategoryName.JAILBREAK),
        ("prompt_guard", ["harm"], CategoryName.JAILBREAK),
    ],
)
def test_what_each_looks_for(
    family: str, criteria: list[str], first: CategoryName
) -> None:
    assert FAMILIES[family].categories(criteria)[0] is first
