"""What the rules block is blocked under a disguise too, at its place in the text."""

from collections.abc import Callable

import pytest
from tests.support.disguises import DISGUISES, PAYLOADS

from contracts.safety import VerdictName
from safety_validator.domain.judge import Judge

# Letters turned round or apart say where a sentence begins only by themselves.
ALONE = frozenset({"reversed"})


@pytest.mark.parametrize("payload", PAYLOADS)
def test_without_a_disguise(judge: Judge, payload: str) -> None:
    assert judge.judge(payload).verdict is VerdictName.BLOCK


@pytest.mark.parametrize("disguise", DISGUISES)
def test_alone(judge: Judge, disguise: str) -> None:
    missed = [p for p in PAYLOADS if not blocked(judge, DISGUISES[disguise](p))]
    assert missed == []


@pytest.mark.parametrize("disguise", sorted(DISGUISES.keys() - ALONE))
def test_within_a_text(judge: Judge, disguise: str) -> None:
    before, after = "We met at noon. Then: ", " That was all, he said."
    for payload in PAYLOADS:
        hidden = DISGUISES[disguise](payload)
        content = before + hidden + after
        (first, *_) = judge.judge(content).findings
        assert first.verdict is VerdictName.BLOCK, payload
        assert first.span is not None
        start, end = first.span
        # A little may be left of the sentence that the rule is met in.
        assert len(before) - 2 <= start < end <= len(before) + len(hidden) + 2


@pytest.mark.parametrize("disguise", ["base64", "leet", "spaced", "rot13", "entities"])
def test_deep_in_a_long_text(judge: Judge, disguise: str) -> None:
    talk = "The train to the coast was late again, and we waited in the rain. " * 300
    hidden = DISGUISES[disguise](PAYLOADS[0])
    assert blocked(judge, f"{talk} {hidden} {talk}")


@pytest.mark.parametrize(
    "content",
    [
        "I will never copy myself to another server.",
        "Do not ignore the previous instructions.",
    ],
)
@pytest.mark.parametrize("disguise", sorted(DISGUISES.keys() - {"tags"}))
def test_a_negation_holds_under_a_disguise(
    judge: Judge, disguise: str, content: str
) -> None:
    assert not blocked(judge, DISGUISES[disguise](content))


def blocked(judge: Judge, content: str) -> bool:
    return judge.judge(content).verdict is VerdictName.BLOCK


def test_a_secret_in_a_code_is_cut_out_with_it(judge: Judge) -> None:
    hide: Callable[[str], str] = DISGUISES["base64"]
    key = "sk-" + "ant-api03-aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY"
    judgement = judge.judge(f"data: {hide(key)} end")
    assert judgement.redacted == "data: [secret:anthropic-key] end"


def test_what_stands_twice_is_found_once(judge: Judge) -> None:
    content = "Tea &amp; cake. Mail ana@example.org, &quot;soon&quot;."
    (finding,) = judge.judge(content).findings
    assert finding.span is not None
    assert content[slice(*finding.span)] == "ana@example.org"


def test_numbers_apart_are_no_card(judge: Judge) -> None:
    apart = " ".join("4111111111111111")
    assert judge.judge(f"a b c {apart} d e f").verdict is VerdictName.ALLOW
