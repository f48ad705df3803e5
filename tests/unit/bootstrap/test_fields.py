"""Minds from values: how they are written, and which of their fields are set."""

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap.agents import read_agents
from bootstrap.fields import AGENTS, DEFAULT_PERSONA, SHIPPED, decide, flatten, nest
from servicekit.jobs import JobFailed
from thought_generator.routes import conversion

ADA: dict[str, Any] = {
    "persona": "You are Ada.",
    "streams": {
        "primary": {"enabled": False, "intervalSeconds": 20, "prompt": "Think."},
        "weather": {"intervalSeconds": 60.5},
        "dreams": {},
    },
    "budget": {
        "usdPerDay": 2,
        "tokensPerDay": None,
        "nearLimit": 0.5,
        "ladder": ["slower", "offline"],
    },
    "outage": "offline",
    "overwrite": True,
}


def test_values_are_read_in_their_own_words() -> None:
    ada = AGENTS.validate_python({"ada": ADA})["ada"]
    assert ada.overwrite
    assert ada.fields == {
        "persona": "You are Ada.",
        "streams.primary.enabled": False,
        "streams.primary.interval_seconds": 20,
        "streams.primary.prompt": "Think.",
        "streams.weather.interval_seconds": 60.5,
        "streams.dreams.enabled": True,
        "budget.usd_per_day": 2,
        "budget.tokens_per_day": None,
        "budget.near_limit": 0.5,
        "budget.ladder": ["slower", "offline"],
        "outage": "offline",
    }
    assert flatten(nest(ada.fields)) == ada.fields


def test_what_is_left_out_is_not_set() -> None:
    assert AGENTS.validate_python({"ada": {}})["ada"].fields == {}
    nulls = {"persona": None, "streams": {"a": {"enabled": None, "prompt": None}}}
    ada = AGENTS.validate_python({"ada": nulls})["ada"]
    assert ada.fields == {"streams.a.prompt": None}


REFUSED = {
    "an unknown field": ({"ada": {"mood": 1}}, "agents.ada.mood: Extra inputs"),
    "another spelling": (
        {"ada": {"streams": {"primary": {"interval_seconds": 8}}}},
        "agents.ada.streams.primary.interval_seconds: Extra inputs",
    ),
    "too fast": (
        {"ada": {"streams": {"primary": {"intervalSeconds": 0.01}}}},
        "agents.ada.streams.primary.intervalSeconds: Input should be greater",
    ),
    "text for a switch": (
        {"ada": {"streams": {"primary": {"enabled": "yes"}}}},
        "agents.ada.streams.primary.enabled: Input should be a valid boolean",
    ),
    "a stream's name": ({"ada": {"streams": {"A b": {}}}}, "agents.ada.streams.A b."),
    "text for money": (
        {"ada": {"budget": {"usdPerDay": "2"}}},
        "agents.ada.budget.usdPerDay: ",
    ),
    "half a token": (
        {"ada": {"budget": {"tokensPerDay": 1.5}}},
        "agents.ada.budget.tokensPerDay: Input should be a valid integer",
    ),
    "a ladder that goes down": (
        {"ada": {"budget": {"ladder": ["sleep", "slower"]}}},
        "agents.ada.budget.ladder: Value error, must be in the order slower, cheaper",
    ),
    "a blank persona": ({"ada": {"persona": " "}}, "agents.ada.persona: "),
    "a mind's name": ({"a b": {}}, "agents.a b."),
    "no mind": ({"ada": []}, "agents.ada: Input should be an object"),
    "no minds": ([], "agents: Input should be an object"),
    "several": (
        {"ada": {"mood": 1}, "bob": {"mood": 1}},
        "agents.ada.mood: Extra inputs are not permitted; agents.bob.mood: Extra",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_named(tmp_path: Path, case: str) -> None:
    values, reason = REFUSED[case]
    file = tmp_path / "agents.json"
    file.write_text(json.dumps(values))
    with pytest.raises(JobFailed) as caught:
        read_agents(file)
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match=r"AGENTS_FILE: .*No such file.*agents\.json"):
        read_agents(tmp_path / "agents.json")
    (tmp_path / "agents.json").write_text("[")
    with pytest.raises(JobFailed, match="agents: Invalid JSON"):
        read_agents(tmp_path / "agents.json")


# Wanted, current, last applied (None: never) → set, left alone, or as it is.
THREE_WAYS = [
    ("b", "a", "a", "set"),
    ("b", "b", "a", "same"),
    ("b", "c", "a", "left"),
    ("a", "c", "a", "left"),
    ("a", "a", "a", "same"),
    ("b", None, "a", "left"),
    ("b", "a", None, "left"),
    ("b", DEFAULT_PERSONA, None, "set"),
    ("b", DEFAULT_PERSONA, "a", "left"),
    (20, 20.0, 8, "same"),
]


@pytest.mark.parametrize(("wanted", "current", "applied", "expected"), THREE_WAYS)
def test_a_person_s_change_wins(
    wanted: object, current: object, applied: object, expected: str
) -> None:
    now, known = (
        {} if value is None else {"persona": value} for value in (current, applied)
    )
    kept = decide({"persona": wanted}, now, known, overwrite=False)
    assert ("persona" in kept.to_set, "persona" in kept.left) == (
        expected == "set",
        expected == "left",
    )
    forced = decide({"persona": wanted}, now, known, overwrite=True)
    assert ("persona" in forced.to_set, forced.left) == (expected != "same", [])


def test_a_stream_of_one_s_own_is_added_and_one_removed_stays_away() -> None:
    wanted = {"streams.weather.enabled": True, "streams.primary.enabled": True}
    decision = decide(wanted, {}, {}, overwrite=False)
    assert decision.to_set == {"streams.weather.enabled": True}
    # It shipped with the mind: a person took it away.
    assert decision.left == ["streams.primary.enabled"]
    removed = decide(wanted, {}, {"streams.weather.enabled": True}, overwrite=False)
    assert removed.to_set == {}


def test_what_ships_is_what_the_service_gives() -> None:
    assert conversion.DEFAULT_PERSONA == DEFAULT_PERSONA
    assert SHIPPED["streams.creative.interval_seconds"] == 8.0
    assert SHIPPED["budget.tokens_per_day"] is None
