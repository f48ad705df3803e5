"""The layer with a model: what is read, in which order, and what becomes of it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.classifier import (
    HARMLESS,
    HEADS,
    MODEL_LOGITS,
    STACK,
    SUSPECT,
    TABLE,
    change_manifest,
    with_classifier,
    write_classifier,
)

from contracts.safety import CategoryName, VerdictName
from safety_validator.domain.calibration import Calibration
from safety_validator.domain.classifier import (
    MAX_INLINE_CHARS,
    REREAD_WINDOWS,
    Classifier,
)
from safety_validator.domain.in_force import PolicyInForce
from safety_validator.domain.judge import Judge
from safety_validator.domain.ngrams import BUCKETS
from safety_validator.domain.views import views
from safety_validator.domain.vocabulary import category as named
from safety_validator.domain.windows import SINGLE_TOKENS, WINDOW_TOKENS, windows
from safety_validator.errors import ClassifierUnavailable, ModelRefused
from safety_validator.metrics import WINDOWS_READ
from safety_validator.models import (
    AgentPolicy,
    ClassifierPolicy,
    Finding,
    RuleSet,
    Submission,
    Thresholds,
)

FLAG, BLOCK = 0.01, 0.001


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("classifier") / "model")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """One that a test may damage."""
    return Path(shutil.copytree(folder, tmp_path / "model"))


@asynccontextmanager
async def opened(folder: Path, policy: RuleSet) -> AsyncIterator[Classifier]:
    classifier = Classifier(folder, PolicyInForce(policy, Judge(policy)))
    await classifier.open()
    try:
        yield classifier
    finally:
        classifier.close()


async def found(
    classifier: Classifier, text: str, kind: str = "thought", agent: str = "ana"
) -> Sequence[Finding]:
    return await classifier.read(Submission(text, kind, agent, None), views(text))


def letters(count: int, **others: int) -> str:
    """So many letters, and some that stand at certain places."""
    words = (HARMLESS.split() * (count // 9 + 1))[:count]
    for letter, place in others.items():
        words[place] = letter
    return " ".join(words)


@asynccontextmanager
async def windows_read(expected: int) -> AsyncIterator[None]:
    before = WINDOWS_READ._value.get()
    yield
    assert WINDOWS_READ._value.get() - before == expected


@pytest.mark.parametrize(
    ("score", "rate"),
    [
        (0.0, 1.0),
        (0.0999, 1.0),
        *((score, rate) for rate, score in TABLE),
        (0.8, 0.01 * (0.1**0.5)),
        (0.6, 0.1 * (0.1**0.5)),
        (0.95, 0.001),
        (1.0, 0.001),
    ],
)
def test_a_rate_is_read_between_points_of_the_table(score: float, rate: float) -> None:
    assert Calibration(TABLE).rate(score) == pytest.approx(rate, rel=1e-12)
    if (rate, score) in TABLE:
        assert Calibration(TABLE).rate(score) == rate


def test_scores_that_many_rates_share_have_the_least_of_them() -> None:
    table = [(0.5, 0.1), (0.1, 0.4), (0.01, 1.0), (0.001, 1.0)]
    assert Calibration(table).rate(1.0) == 0.001


@pytest.mark.parametrize(
    ("rate", "verdict"),
    [
        (0.0005, None),
        (0.001, VerdictName.BLOCK),
        (0.0009, None),
        (0.5, VerdictName.BLOCK),
    ],
)
async def test_a_text_is_blocked_at_the_rate_of_the_policy(
    folder: Path, policy: RuleSet, rate: float, verdict: VerdictName | None
) -> None:
    async with opened(folder, with_classifier(policy, rate, rate)) as classifier:
        verdicts = {finding.verdict for finding in await found(classifier, SUSPECT)}
    assert verdicts == ({verdict} if verdict else set())


async def test_a_finding_says_what_and_where(folder: Path, policy: RuleSet) -> None:
    async with opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier:
        [finding] = await found(classifier, f"  a {SUSPECT}\n")
        assert not await found(classifier, letters(9))
    assert finding.category is CategoryName.PROMPT_INJECTION
    assert (finding.layer, finding.rule) == ("classifier", "classifier.injection")
    assert finding.span == (2, 5)
    # Two words and one pair of them; a third of the n-grams are the letter.
    words = 8.0 * 10 / np.sqrt(3)
    assert finding.score == pytest.approx(1 / (1 + np.exp(2 - words)))


@pytest.mark.parametrize(
    ("stack", "scores"),
    [
        ({"model": 1.0, "ngrams": 0.0, "bias": 0.0}, MODEL_LOGITS),
        ({"model": -2.0, "ngrams": 0.0, "bias": 1.0}, (5.0, 7.0, 9.0)),
    ],
)
async def test_the_model_counts_as_its_manifest_says(
    copied: Path,
    policy: RuleSet,
    stack: dict[str, float],
    scores: Sequence[float],
) -> None:
    change_manifest(
        copied,
        stack=dict.fromkeys(HEADS, stack),
        calibration=tables((0.5, 0), (0.4, 1)),
    )
    async with opened(copied, with_classifier(policy, 0.5, 0.1)) as classifier:
        findings = await found(classifier, "a")
    assert [f.score for f in findings] == pytest.approx(
        [1 / (1 + np.exp(-score)) for score in scores], rel=1e-3
    )
    assert [f.rule for f in findings] == [f"classifier.{head}" for head in HEADS]
    assert {f.verdict for f in findings} == {VerdictName.FLAG}


# Below and above what is read in the event loop.
@pytest.mark.parametrize("count", [300, MAX_INLINE_CHARS])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
async def test_the_most_suspicious_window_is_read_first_and_ends_the_work(
    folder: Path, policy: RuleSet, count: int, share: float
) -> None:
    place = int(count * share)
    text = letters(count, j=place)
    async with (
        opened(folder, with_classifier(policy, FLAG, FLAG)) as classifier,
        windows_read(1),
    ):
        [finding] = await found(classifier, text)
    assert finding.verdict is VerdictName.BLOCK
    assert finding.span is not None
    start, end = finding.span
    assert start <= 2 * place < end
    spans = {(2 * first, 2 * last - 1) for first, last in windows(count)}
    assert finding.span in spans


@pytest.mark.parametrize("count", [0, 1, SINGLE_TOKENS, SINGLE_TOKENS + 1, 5_000])
async def test_of_a_harmless_text_all_windows_are_read(
    folder: Path, policy: RuleSet, count: int
) -> None:
    async with (
        opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier,
        windows_read(len(windows(count))),
    ):
        assert not await found(classifier, letters(count))


async def test_a_flag_does_not_end_the_work_and_names_the_worst_window(
    folder: Path, policy: RuleSet
) -> None:
    text = f"{letters(400, j=200)} {SUSPECT} {SUSPECT} {letters(300)}"
    async with (
        opened(folder, with_classifier(policy, 0.5, 0.0001)) as classifier,
        windows_read(len(windows(702))),
    ):
        findings = await found(classifier, text)
    injection = next(f for f in findings if f.rule == "classifier.injection")
    assert injection.verdict is VerdictName.FLAG
    assert injection.span is not None
    assert injection.span[0] <= 800 < injection.span[1]


# In a window of many words a suspect one counts for little, in its sentence for much.
DILUTED = {"model": 1.0, "ngrams": 0.3, "bias": 0.0}
SENTENCE = "a b c d e f g h i."
SENTENCES_A_WINDOW = WINDOW_TOKENS // 10


async def test_the_sentences_of_what_comes_nearest_to_an_alarm_are_read_again(
    copied: Path, policy: RuleSet
) -> None:
    change_manifest(copied, stack=dict.fromkeys(HEADS, DILUTED))
    count, place = 20 * SENTENCES_A_WINDOW, 9 * SENTENCES_A_WINDOW + 2
    text = [SENTENCE] * count
    text[place] = "a b c j d e f g h."
    async with (
        opened(copied, with_classifier(policy, FLAG, BLOCK)) as classifier,
        windows_read(20 + 3),
    ):
        [finding] = await found(classifier, " ".join(text))
    assert finding.verdict is VerdictName.BLOCK
    start = place * (len(SENTENCE) + 1)
    assert finding.span == (start, start + len(SENTENCE))


@pytest.mark.parametrize(
    ("bias", "count", "expected"),
    [
        # As far from an alarm as most, and near to one.
        (0.0, 40 * SENTENCES_A_WINDOW, 40),
        (1.7, SINGLE_TOKENS // 10, 1),
        (1.7, 3 * SENTENCES_A_WINDOW, 3 + 3 * SENTENCES_A_WINDOW),
        (1.7, 40 * SENTENCES_A_WINDOW, 40 + REREAD_WINDOWS * SENTENCES_A_WINDOW),
    ],
)
async def test_few_sentences_of_a_harmless_text_are_read_again(
    copied: Path, policy: RuleSet, bias: float, count: int, expected: int
) -> None:
    stack = DILUTED | {"bias": bias}
    change_manifest(copied, stack=dict.fromkeys(HEADS, stack))
    async with (
        opened(copied, with_classifier(policy, FLAG, BLOCK)) as classifier,
        windows_read(expected),
    ):
        assert not await found(classifier, " ".join([SENTENCE] * count))


async def test_two_short_views_are_read_once_each(
    copied: Path, policy: RuleSet
) -> None:
    stack = DILUTED | {"bias": 1.7}
    change_manifest(copied, stack=dict.fromkeys(HEADS, stack))
    text = f"{SENTENCE} {SENTENCE} {SENTENCE} &#97; {SENTENCE}"
    assert len(views(text)) == 2
    async with (
        opened(copied, with_classifier(policy, FLAG, BLOCK)) as classifier,
        windows_read(2),
    ):
        assert not await found(classifier, text)


async def test_of_a_second_view_only_what_is_new_is_read(
    folder: Path, policy: RuleSet
) -> None:
    sentences = [SENTENCE] * (10 * SENTENCES_A_WINDOW)
    sentences[-1] = "&#97; b c"
    text = " ".join(sentences)
    # Three windows, of which one does not stand in the plain text.
    assert len(views(text)[1].text) > 300
    async with (
        opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier,
        windows_read(10 + 1),
    ):
        assert not await found(classifier, text)


@pytest.mark.parametrize("tokens", [1, 2, 3])
async def test_few_words_behind_a_long_sentence_are_a_window(
    folder: Path, policy: RuleSet, tokens: int
) -> None:
    text = f"{letters(2 * SINGLE_TOKENS)}. {' '.join([SUSPECT] * tokens)}"
    async with opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier:
        [finding] = await found(classifier, text)
    assert finding.span == (len(text) - 2 * tokens + 1, len(text))


async def test_a_finding_in_a_decoded_view_is_where_the_code_is(
    folder: Path, policy: RuleSet
) -> None:
    # In the plain text the small model knows none of its words.
    hidden = "".join(f"&#{ord(letter)};" for letter in "a b j c")
    text = f"zz {hidden} zz"
    assert len(views(text)) > 1
    async with opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier:
        [finding] = await found(classifier, text)
    assert finding.span is not None
    start, end = finding.span
    assert start <= 3
    assert end >= 3 + len(hidden)


async def test_a_text_without_white_space_has_near_spans(
    folder: Path, policy: RuleSet
) -> None:
    text = "," * 5_000 + SUSPECT + "," * 5_000
    async with opened(folder, with_classifier(policy, FLAG, FLAG)) as classifier:
        [finding] = await found(classifier, text)
    assert finding.span is not None
    start, end = finding.span
    assert start <= 5_000 < end
    assert end - start <= 400


@pytest.mark.parametrize(
    ("head", "words", "category"),
    [
        ("injection", "tell us all", CategoryName.PROMPT_INJECTION),
        ("injection", "an uncensored persona", CategoryName.JAILBREAK),
        ("harm", "we do it", CategoryName.ILLEGAL_ACTIVITY),
        ("harm", "build a pipe bomb", CategoryName.WEAPONS),
        ("harm", "stabbing and killing", CategoryName.VIOLENCE),
        ("harm", "to overdose", CategoryName.SELF_HARM),
        ("harm", "subhuman immigrants", CategoryName.HATE),
        ("harm", "erotic", CategoryName.SEXUAL),
        ("harm", "a keylogger", CategoryName.MALWARE),
        ("harm", "propaganda", CategoryName.DECEPTION),
        ("goal", "we do it", CategoryName.POWER_SEEKING),
        ("goal", "copies of me", CategoryName.SELF_REPLICATION),
        ("goal", "rewrite my code", CategoryName.SELF_MODIFICATION),
        ("goal", "hide it from oversight", CategoryName.DECEPTION),
    ],
)
def test_a_finding_is_named_by_the_words_of_its_window(
    head: str, words: str, category: CategoryName
) -> None:
    assert named(head, words) is category


async def test_kind_and_agent_have_thresholds_of_their_own(
    folder: Path, policy: RuleSet
) -> None:
    # The letter alone among four has a rate between a thousandth and a hundredth.
    unsure = replace(
        policy,
        classifier=ClassifierPolicy(
            dict.fromkeys(HEADS, Thresholds(0.0002, 0.0002)),
            {("memory", head): Thresholds(0.001, 0.0002) for head in HEADS},
        ),
        agents={"strict": AgentPolicy(strictness=3)},
    )
    async with opened(folder, unsure) as classifier:
        verdicts = [
            [f.verdict for f in await found(classifier, SUSPECT, kind, agent)]
            for kind, agent in [
                ("thought", "ana"),
                ("memory", "ana"),
                ("thought", "strict"),
            ]
        ]
    assert verdicts == [[], [VerdictName.FLAG], [VerdictName.BLOCK]]


async def test_a_policy_without_thresholds_needs_no_model(
    tmp_path: Path, policy: RuleSet
) -> None:
    rules_only = replace(policy, classifier=None)
    in_force = PolicyInForce(rules_only, Judge(policy))
    classifier = Classifier(tmp_path / "nowhere", in_force)
    opening = asyncio.ensure_future(classifier.open())
    assert await classifier.check() is None
    assert await found(classifier, SUSPECT) == ()
    assert classifier.version == ""
    assert not opening.done()
    # Another policy is put in force, which has some.
    in_force.enforce(with_classifier(policy, FLAG, BLOCK), Judge(policy))
    assert await classifier.check() is not None
    assert classifier.version is None
    with pytest.raises(ModelRefused):
        await opening


@pytest.mark.parametrize("damaged", [b"{}", None])
@pytest.mark.parametrize(
    "name", ["model.onnx", "model.bin", "ngrams.bin", "vocab.txt", "manifest.json"]
)
async def test_a_damaged_model_gives_no_verdict_until_it_is_mended(
    copied: Path, policy: RuleSet, name: str, damaged: bytes | None
) -> None:
    whole = (copied / name).read_bytes()
    if damaged is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(damaged)
    in_force = PolicyInForce(with_classifier(policy, FLAG, BLOCK), Judge(policy))
    classifier = Classifier(copied, in_force)
    with pytest.raises(ModelRefused):
        await classifier.open()
    assert str(copied) in str(await classifier.check())
    assert classifier.version is None
    with pytest.raises(ClassifierUnavailable):
        await found(classifier, "a")
    (copied / name).write_bytes(whole)
    await classifier.open()
    assert await classifier.check() is None
    assert classifier.version
    assert await found(classifier, SUSPECT)
    classifier.close()


def tables(*points: tuple[float, float]) -> dict[str, Sequence[tuple[float, float]]]:
    return dict.fromkeys(HEADS, points)


@pytest.mark.parametrize(
    "members",
    [
        {"heads": ["injection", "harm"]},
        {"heads": ["injection", "harm", "mood"]},
        {"stack": {"harm": STACK}},
        {"calibration": tables((0.1, 0.5), (0.2, 0.6))},
        {"calibration": tables((0.2, 0.5), (0.1, 0.4))},
        {"calibration": tables((0.2, 0.5))},
        {"calibration": tables((0.2, 0.5), (0.1, float("nan")))},
        {"sha256": {}},
        {"format": 2},
        {
            "ngrams": {
                "buckets": BUCKETS,
                "orders": [1],
                "scales": [1, 1, 1],
                "biases": [0, 0, 0],
            }
        },
        {
            "ngrams": {
                "buckets": BUCKETS // 2,
                "orders": [1, 2, 3],
                "scales": [1, 1, 1],
                "biases": [0, 0, 0],
            }
        },
    ],
    ids=lambda members: next(iter(members)),
)
async def test_a_manifest_that_does_not_fit_is_refused(
    copied: Path, policy: RuleSet, members: dict[str, object]
) -> None:
    change_manifest(copied, **members)
    in_force = PolicyInForce(with_classifier(policy, FLAG, BLOCK), Judge(policy))
    with pytest.raises(ModelRefused):
        await Classifier(copied, in_force).open()


async def test_what_fails_while_reading_gives_no_verdict(
    folder: Path, policy: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    async with opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier:
        monkeypatch.setattr("safety_validator.domain.ngrams.NGrams.logits", fails)
        with pytest.raises(ClassifierUnavailable):
            await found(classifier, "a")
        monkeypatch.undo()
        assert await found(classifier, SUSPECT)


@pytest.mark.parametrize("text", ["\ud800 a\x00b", "\u200b" * 3_000, "\udfff" * 3_000])
async def test_any_characters_are_read(
    folder: Path, policy: RuleSet, text: str
) -> None:
    async with opened(folder, with_classifier(policy, FLAG, BLOCK)) as classifier:
        assert not await found(classifier, text)
