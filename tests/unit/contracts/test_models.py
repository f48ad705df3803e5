"""Messages: what they refuse, at and over each limit, and how they are written."""

import inspect
import json
from collections.abc import Callable

import orjson
import pytest
from pydantic import BaseModel, ValidationError
from tests.unit.contracts.messages import LEAST, MEMORY, read

from contracts import (
    agent,
    base,
    forgetting,
    memory,
    problem,
    recall,
    safety,
    thought,
)
from contracts.agent import AgentPatch, AgentPut, Budget, StreamSettings
from contracts.base import Answer, Contract
from contracts.memory import (
    Memory,
    MemoryBatchRequest,
    MemoryPatch,
    MemoryWrite,
    SignedVerdict,
)
from contracts.recall import RecallFilters, RecallRequest
from contracts.safety import CategoryHit, ValidateBatchRequest, ValidateRequest
from contracts.thought import GenerateBatchRequest, GenerateRequest


def all_models() -> list[type[BaseModel]]:
    return [
        value
        for module in (agent, base, forgetting, memory, recall, safety, thought)
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, (Contract, Answer)) and value not in {Contract, Answer}
    ]


@pytest.mark.parametrize("model", LEAST, ids=lambda model: model.__name__)
def test_unknown_fields_of_requests_are_refused(model: type[Contract]) -> None:
    assert read(model)
    with pytest.raises(ValidationError, match="Extra inputs"):
        read(model, agent="ada")


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_requests_are_strict_and_answers_may_grow(model: type[BaseModel]) -> None:
    expected = "forbid" if issubclass(model, Contract) else "ignore"
    assert model.model_config["extra"] == expected


# Numbers, by model and field: the least and the most that is taken.
NUMBERS: list[tuple[type[Contract], str, float, float]] = [
    (MemoryWrite, "importance", 0, 1),
    (MemoryWrite, "ttl_seconds", 1, 315_360_000),
    (MemoryPatch, "importance", 0, 1),
    (RecallFilters, "min_importance", 0, 1),
    (RecallRequest, "limit", 1, 1000),
    (GenerateRequest, "max_tokens", 1, 8192),
    (StreamSettings, "interval_seconds", 0.1, 86_400),
    (Budget, "usd_per_day", 0, 1_000_000),
    (Budget, "tokens_per_day", 0, 10**12),
]
WHOLE = {"ttl_seconds", "limit", "max_tokens", "tokens_per_day"}


@pytest.mark.parametrize(
    ("model", "field", "least", "most"), NUMBERS, ids=lambda value: str(value)
)
def test_a_number_is_taken_up_to_its_bounds(
    model: type[Contract], field: str, least: float, most: float
) -> None:
    step = 1 if field in WHOLE else 1e-6
    for good in (least, most):
        assert getattr(read(model, **{field: good}), field) == good
    for bad in (least - step, most + step, -1, 10**30):
        with pytest.raises(ValidationError):
            read(model, **{field: bad})


@pytest.mark.parametrize(("model", "field"), [row[:2] for row in NUMBERS])
@pytest.mark.parametrize(
    "value", [True, False, "1", "0.5", "", [1], {}, float("nan"), float("inf")]
)
def test_nothing_else_is_a_number(
    model: type[Contract], field: str, value: object
) -> None:
    with pytest.raises(ValidationError):
        read(model, **{field: value})


@pytest.mark.parametrize("field", sorted(WHOLE))
def test_a_whole_number_has_no_fraction(field: str) -> None:
    (model,) = (row[0] for row in NUMBERS if row[1] == field)
    for value in (1.0, 1.5):
        with pytest.raises(ValidationError):
            read(model, **{field: value})


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (MemoryWrite, "pinned"),
        (MemoryPatch, "pinned"),
        (RecallRequest, "include_history"),
        (GenerateRequest, "use_cache"),
        (StreamSettings, "enabled"),
    ],
)
@pytest.mark.parametrize("value", [0, 1, "true", "false", "yes", [], 1.0])
def test_nothing_else_is_a_bool(
    model: type[Contract], field: str, value: object
) -> None:
    with pytest.raises(ValidationError):
        read(model, **{field: value})


# Texts, by model and field: the most characters that are taken.
TEXTS: list[tuple[type[Contract], str, int]] = [
    (MemoryWrite, "content", 32_768),
    (MemoryPatch, "content", 32_768),
    (RecallRequest, "query", 8_192),
    (ValidateRequest, "content", 1_048_576),
    (GenerateRequest, "context", 32_768),
    (AgentPut, "persona", 16_384),
    (AgentPatch, "persona", 16_384),
    (StreamSettings, "prompt", 4_096),
]


@pytest.mark.parametrize(("model", "field", "most"), TEXTS)
def test_a_text_is_taken_up_to_its_bound(
    model: type[Contract], field: str, most: int
) -> None:
    for text in ("a" * most, "ü" * most, "\U0001f9e0" * most):
        assert getattr(read(model, **{field: text}), field) == text
    with pytest.raises(ValidationError, match=f"at most {most}"):
        read(model, **{field: "a" * (most + 1)})


@pytest.mark.parametrize(("model", "field"), [row[:2] for row in TEXTS])
@pytest.mark.parametrize(
    "value",
    ["", "  \n\t", "\u2028", "a\x00b", "a\ud800b", "\udfff", 1, True, ["a"], {}],
)
def test_a_text_can_be_stored_and_says_something(
    model: type[Contract], field: str, value: object
) -> None:
    with pytest.raises(ValidationError):
        read(model, **{field: value})


@pytest.mark.parametrize(
    ("model", "field", "good", "bad"),
    [
        (
            MemoryWrite,
            "agent_id",
            ["a", "A", "0", "a" * 128, "a.b_c:d@e-f"],
            ["", "a" * 129, "-a", ".a", "a b", "a/b", "a\n", "ä", "a\x00", 1, None],
        ),
        (
            MemoryWrite,
            "user_id",
            ["a", "ä b/c", "a" * 256, None],
            ["", "a" * 257, "a\x00", "\ud800", 1],
        ),
        (
            GenerateRequest,
            "stream",
            ["a", "a" * 64, "day-dream_2"],
            ["", "a" * 65, "A", "2a", "-a", "a b", "a\n", None],
        ),
        (MemoryWrite, "memory_type", ["thought"], ["dream", "", "THOUGHT", 1, None]),
        (MemoryWrite, "evidence", ["observed"], ["guessed", None]),
        (ValidateRequest, "kind", ["thought", "memory", "context"], ["", "dream"]),
        (SignedVerdict, "verdict", ["allow", "flag", "redact"], ["block", "", None]),
        (
            RecallRequest,
            "min_score",
            [-1, 0.5, 1e300, None],
            [True, "0.5", float("nan"), float("inf"), float("-inf")],
        ),
        (RecallRequest, "mode", ["hybrid", "keyword"], ["", "best", None]),
        (
            MemoryWrite,
            "id",
            ["0198c5f2-77aa-7000-8000-000000000000", None],
            ["", "1", 1, "0198c5f2-77aa-7000-8000-00000000000g"],
        ),
        (
            RecallFilters,
            "memory_type",
            ["episodic", ["episodic", "working"], [], None],
            ["dream", ["dream"], 1],
        ),
    ],
)
def test_a_name_keeps_its_form(
    model: type[Contract], field: str, good: list[object], bad: list[object]
) -> None:
    for value in good:
        read(model, **{field: value})
    for value in bad:
        with pytest.raises(ValidationError):
            read(model, **{field: value})


@pytest.mark.parametrize(
    ("model", "field", "item", "most"),
    [
        (MemoryBatchRequest, "memories", {"content": "a"}, 1000),
        (ValidateBatchRequest, "items", {"content": "a"}, 256),
        (GenerateBatchRequest, "requests", {"context": "a"}, 64),
    ],
)
def test_a_batch_holds_one_to_its_most(
    model: type[Contract], field: str, item: object, most: int
) -> None:
    for count in (1, most):
        assert len(getattr(read(model, **{field: [item] * count}), field)) == count
    for count in (0, most + 1):
        with pytest.raises(ValidationError):
            read(model, **{field: [item] * count})


@pytest.mark.parametrize("model", [AgentPut, AgentPatch])
def test_an_agent_has_a_bounded_number_of_streams(model: type[Contract]) -> None:
    streams: dict[str, object] = {f"stream-{number}": {} for number in range(33)}
    with pytest.raises(ValidationError, match="at most 32"):
        read(model, streams=streams)
    streams.popitem()
    assert len(read(model, streams=streams).streams) == 32
    with pytest.raises(ValidationError):
        read(model, streams={"Not a name": {}})


def test_an_answer_of_a_newer_service_is_read() -> None:
    newer = Memory.model_validate_json(orjson.dumps({**MEMORY, "mood": "calm"}))
    written = json.loads(newer.model_dump_json())
    assert "mood" not in written
    assert written["created_at"] == "2026-11-23T12:00:00Z"
    assert set(written) == set(MEMORY)


def test_a_span_is_a_pair() -> None:
    hit = {"name": "secrets", "score": 1, "layer": "patterns", "rule": "key"}
    assert CategoryHit.model_validate({**hit, "span": [3, 7]}).span == (3, 7)
    with pytest.raises(ValidationError):
        CategoryHit.model_validate({**hit, "span": [3]})


PROBLEMS: list[tuple[Callable[[], problem.Problem], str]] = [
    (lambda: problem.Problem(title="a", status=400), "about:blank"),
    (
        lambda: problem.Problem(type=f"{problem.URN_PREFIX}b", title="a", status=400),
        "b",
    ),
]


@pytest.mark.parametrize(("make", "kind"), PROBLEMS)
def test_a_problem_s_kind_is_the_end_of_its_urn(
    make: Callable[[], problem.Problem], kind: str
) -> None:
    assert make().kind == kind
