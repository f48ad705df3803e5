"""thought-generator's messages about agents: streams, budgets, state."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from contracts.base import (
    Answer,
    Contract,
    Score,
    StreamName,
    Text,
    Timestamp,
    Unit,
)

__all__ = [
    "DEFAULT_STREAMS",
    "Agent",
    "AgentList",
    "AgentPatch",
    "AgentPut",
    "AgentState",
    "Budget",
    "BudgetPatch",
    "BudgetState",
    "CoherenceState",
    "Doze",
    "OfflineStream",
    "Outage",
    "Rung",
    "StreamPatch",
    "StreamSettings",
]

DEFAULT_STREAMS = (
    "primary",
    "subconscious",
    "emotional",
    "creative",
    "metacognitive",
)
MAX_PERSONA_CHARS = 16_384
MAX_STREAMS = 32
# A day: a slower stream is a paused one.
MAX_INTERVAL_SECONDS = 86_400
MAX_USD_PER_DAY = 1_000_000
MAX_TOKENS_PER_DAY = 10**12

Prompt = Annotated[Text, Field(max_length=4_096)]
Persona = Annotated[Text, Field(max_length=MAX_PERSONA_CHARS)]
Seconds = Annotated[Score, Field(ge=0.1, le=MAX_INTERVAL_SECONDS)]
Dollars = Annotated[Score, Field(ge=0, le=MAX_USD_PER_DAY)]
Tokens = Annotated[StrictInt, Field(ge=0, le=MAX_TOKENS_PER_DAY)]


class StreamSettings(Contract):
    """How one stream thinks; a prompt left out is the built-in one of its name."""

    enabled: StrictBool = True
    interval_seconds: Seconds = 8.0
    prompt: Prompt | None = None


class StreamPatch(Contract):
    """What changes of one stream."""

    enabled: StrictBool | None = None
    interval_seconds: Seconds | None = None
    prompt: Prompt | None = None


class Rung(StrEnum):
    """What an agent does about a budget that runs out.

    `slower`: its streams wait twice as long between two thoughts. `cheaper`: another
    model thinks, where the service has one. `offline`: the offline engine thinks, and
    costs nothing. `sleep`: nothing is thought before the reset.
    """

    SLOWER = "slower"
    CHEAPER = "cheaper"
    OFFLINE = "offline"
    SLEEP = "sleep"


LADDER_ORDER = {Rung.SLOWER: 0, Rung.CHEAPER: 1, Rung.OFFLINE: 2, Rung.SLEEP: 2}
DEFAULT_LADDER = (Rung.SLOWER, Rung.CHEAPER, Rung.SLEEP)


def _climbs(ladder: list[Rung]) -> list[Rung]:
    places = [LADDER_ORDER[rung] for rung in ladder]
    if places != sorted(set(places)):
        raise ValueError("must be in the order slower, cheaper, then offline or sleep")
    return ladder


Ladder = Annotated[list[Rung], Field(max_length=3), AfterValidator(_climbs)]


class Budget(Contract):
    """The most an agent may spend from midnight to midnight, UTC.

    From the part `near_limit` of it on the rungs of `ladder` are taken one by one, the
    last when the next call no longer fits. Without offline or sleep at its end it
    sleeps.
    """

    usd_per_day: Dollars = 10.0
    tokens_per_day: Tokens | None = None
    near_limit: Unit = 0.8
    ladder: Ladder = Field(default_factory=lambda: list(DEFAULT_LADDER))


class BudgetPatch(Contract):
    """What changes of a budget."""

    usd_per_day: Dollars | None = None
    tokens_per_day: Tokens | None = None
    near_limit: Unit | None = None
    ladder: Ladder | None = None


class Outage(StrEnum):
    """What an agent's streams do while the model is out.

    `doze`: they think nothing until it is back. `offline`: the offline engine thinks,
    under its own name, and costs nothing. Who asks meets `engine-unavailable` in both.
    """

    DOZE = "doze"
    OFFLINE = "offline"


Streams = Annotated[dict[StreamName, StreamSettings], Field(max_length=MAX_STREAMS)]


class AgentPut(Contract):
    """A whole agent; what is left out takes its default."""

    persona: Persona | None = None
    streams: Streams | None = None
    budget: Budget = Field(default_factory=Budget)
    outage: Outage = Outage.DOZE


class AgentPatch(Contract):
    """What changes; a stream not named stays as it is."""

    persona: Persona | None = None
    streams: (
        Annotated[dict[StreamName, StreamPatch], Field(max_length=MAX_STREAMS)] | None
    ) = None
    budget: BudgetPatch | None = None
    outage: Outage | None = None


class AgentState(StrEnum):
    """Whether its streams think."""

    RUNNING = "running"
    PAUSED = "paused"


class Doze(Answer):
    """Why a stream does not think just now; `until` is null where it tries again within
    seconds."""

    since: Timestamp
    problem: str
    until: Timestamp | None


class OfflineStream(Answer):
    """Since when the offline engine thinks a stream, the model being out, and which
    problem the stream met last."""

    since: Timestamp
    problem: str


class Agent(Answer):
    """A mind: who it is, how it thinks and what it may spend.

    `dozing` are its streams that do not think just now, `offline` those that the
    offline engine thinks because the model is out.
    """

    agent_id: str
    persona: str
    streams: dict[str, StreamSettings]
    budget: Budget
    outage: Outage
    state: AgentState
    dozing: dict[str, Doze]
    offline: dict[str, OfflineStream]


class AgentList(Answer):
    """A page in the order of ids; `next_cursor` is null at the end."""

    agents: list[Agent]
    next_cursor: str | None


class CoherenceState(Answer):
    """An agent's coherence over the last `window_seconds`, as far as it can be told
    while it thinks; null where there was nothing to tell it by.

    `continuity`: the share of thoughts that are there and name the one before. `alive`:
    the share of cells, five minutes of a stream, with a thought; those in which a
    person or the budget wanted silence, `cells_excused`, do not count. `thread`,
    whether thoughts follow from their context, is not measured here. `loops_broken`:
    how often a stream that repeated itself was turned to something else.
    """

    continuity: float | None
    alive: float | None
    thread: float | None
    window_seconds: float
    thoughts_expected: int
    cells: int
    cells_excused: int
    loops_broken: int


class BudgetState(Answer):
    """Where an agent's budget stands today; `rung` is the last that was taken."""

    spent_usd: float
    reserved_usd: float
    limit_usd: float
    tokens: int
    resets_at: Timestamp
    rung: Rung | None
