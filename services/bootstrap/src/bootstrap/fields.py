"""Minds as the chart's values describe them, and which of their fields to set.

A field is one value with a path, such as `streams.primary.interval_seconds`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, TypeAdapter
from pydantic.alias_generators import to_camel

from contracts.agent import (
    DEFAULT_STREAMS,
    MAX_STREAMS,
    Budget,
    Dollars,
    Ladder,
    Outage,
    Persona,
    Prompt,
    Seconds,
    StreamSettings,
    Tokens,
)
from contracts.base import AgentId, StreamName, Unit

# What thought-generator gives a mind that was put without one.
DEFAULT_PERSONA = (
    "I am a curious, careful mind. I turn over what I have been told, look for what "
    "connects, and keep apart what I know from what I only think."
)
# Of these null is a value: the built-in prompt, no limit.
NULLABLE = {"prompt", "tokens_per_day"}

Fields = dict[str, Any]
Known = Mapping[str, Any]


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class StreamValues(_Values):
    """How one stream thinks."""

    enabled: StrictBool | None = None
    interval_seconds: Seconds | None = None
    prompt: Prompt | None = None


class BudgetValues(_Values):
    """What a mind may spend in a day, and what it does when that runs out."""

    usd_per_day: Dollars | None = None
    tokens_per_day: Tokens | None = None
    near_limit: Unit | None = None
    ladder: Ladder | None = None


class AgentValues(_Values):
    """A mind; what is left out is nobody's business here."""

    persona: Persona | None = None
    streams: Annotated[
        dict[StreamName, StreamValues], Field(max_length=MAX_STREAMS)
    ] = {}
    budget: BudgetValues = BudgetValues()
    outage: Outage | None = None
    overwrite: StrictBool = False

    @property
    def fields(self) -> Fields:
        """What is to be set; a stream of which nothing is said is to be there."""
        sent = self.model_dump(exclude_unset=True, exclude={"overwrite"})
        streams = sent.get("streams", {})
        sent["streams"] = {name: s or {"enabled": True} for name, s in streams.items()}
        return {
            path: value
            for path, value in flatten(sent).items()
            if value is not None or path.rpartition(".")[2] in NULLABLE
        }


AGENTS = TypeAdapter(dict[AgentId, AgentValues])


def flatten(tree: Known, prefix: str = "") -> Fields:
    """The fields of nested members; no name in a path contains a dot."""
    fields: Fields = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            fields |= flatten(value, f"{prefix}{name}.")
        else:
            fields[prefix + name] = value
    return fields


def nest(fields: Known) -> dict[str, Any]:
    """The members that have these fields."""
    tree: dict[str, Any] = {}
    for path, value in fields.items():
        *parents, name = path.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return tree


def in_values(path: str) -> str:
    """The path as a person writes it in the values."""
    parent, dot, name = path.rpartition(".")
    return parent + dot + to_camel(name)


# What a mind is while nobody changed it, so that a first change is a person's too.
SHIPPED = flatten(
    {
        "persona": DEFAULT_PERSONA,
        "streams": {name: StreamSettings().model_dump() for name in DEFAULT_STREAMS},
        "budget": Budget().model_dump(),
        "outage": Outage.DOZE,
    }
)
ABSENT = object()


@dataclass(frozen=True)
class Decision:
    """The fields to set, and those left because a person changed them."""

    to_set: Fields = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def decide(
    wanted: Known, current: Known, applied: Known, *, overwrite: bool
) -> Decision:
    """A field that is as it was last applied, or as it shipped, is nobody's."""
    decision = Decision()
    for path, value in wanted.items():
        now = current.get(path, ABSENT)
        untouched = applied.get(path, SHIPPED.get(path, ABSENT))
        if now == value:
            continue
        if overwrite or now == untouched:
            decision.to_set[path] = value
        else:
            decision.left.append(path)
    return decision
