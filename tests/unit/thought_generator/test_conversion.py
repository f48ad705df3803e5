"""What a PATCH makes of an agent, and how an agent is shown."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contracts.agent import MAX_STREAMS, AgentPatch
from servicekit.errors import InvalidRequest
from thought_generator.models.agents import Agent, AgentState, Doze, Stream
from thought_generator.models.budget import Limits
from thought_generator.routes.conversion import agent_answer, patched


def agent(streams: dict[str, Stream]) -> Agent:
    limits = Limits(Decimal(10), None)
    return Agent("a", "I am calm.", streams, limits, AgentState.RUNNING)


def test_patches_do_not_add_streams_without_end() -> None:
    full = agent({f"s{n}": Stream() for n in range(MAX_STREAMS)})
    change = AgentPatch.model_validate({"streams": {"s0": {"enabled": False}}})
    assert not patched(full, change).streams["s0"].enabled
    one_more = AgentPatch.model_validate({"streams": {"more": {}}})
    with pytest.raises(InvalidRequest):
        patched(full, one_more)


def test_a_prompt_that_grew_by_redaction_is_shown() -> None:
    grown = "x" * 5_000
    shown = agent_answer(agent({"primary": Stream(prompt=grown)}))
    assert shown.streams["primary"].prompt == grown
    assert grown in shown.model_dump_json()


def test_a_doze_is_shown_with_its_stream() -> None:
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    dozing = {"primary": Doze(since, "engine-unavailable", None)}
    shown = agent_answer(replace(agent({"primary": Stream()}), dozing=dozing))
    assert shown.model_dump(mode="json")["dozing"] == {
        "primary": {
            "since": "2026-01-01T12:00:00Z",
            "problem": "engine-unavailable",
            "until": None,
        }
    }
