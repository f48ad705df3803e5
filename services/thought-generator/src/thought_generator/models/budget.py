"""What an agent may spend, and where its day stands."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Rung(StrEnum):
    """What an agent does about a budget that runs out, mildest first."""

    SLOWER = "slower"
    CHEAPER = "cheaper"
    OFFLINE = "offline"
    SLEEP = "sleep"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most an agent may spend a day, UTC; None is no limit. `near_limit` is the
    part of it from where the rungs of the ladder are taken."""

    usd_per_day: Decimal
    tokens_per_day: int | None
    near_limit: float = 0.8
    ladder: tuple[Rung, ...] = (Rung.SLOWER, Rung.CHEAPER, Rung.SLEEP)


@dataclass(frozen=True, slots=True)
class Offer:
    """The most a call can take, and the part of the agent's limits, used so far, below
    which it may be made; None means up to the limit."""

    usd: Decimal
    tokens: int
    below: float | None


@dataclass(frozen=True, slots=True)
class Reserved:
    """The place of the offer that was reserved, None if none fitted; `used` is the
    part of the agent's limits that was spent or reserved before."""

    day: date
    used: float
    resets_in_s: float
    place: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an agent's day stands. `refused`: the last call did not fit into it."""

    limits: Limits
    spent_usd: Decimal
    reserved_usd: Decimal
    tokens: int
    used: float
    refused: bool
    resets_at: datetime
    rung: Rung | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """What a call cost, to be settled once: it replaces the reservation of `day`."""

    reservation: UUID
    day: date
    usd: Decimal
    tokens: int
