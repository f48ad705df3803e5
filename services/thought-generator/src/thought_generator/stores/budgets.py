"""Money and tokens in PostgreSQL: reserved before a call, settled after it."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg

from servicekit.database import Database, load_queries
from thought_generator.errors import AgentUnknown

SQL = load_queries("thought_generator.stores")
# Longer than any call to a model may take; what is older belongs to the dead.
RESERVATION_TTL = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Spending:
    """Where an agent's day stands."""

    limit_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    tokens: int


class BudgetStore:
    """Every step is one statement, so that replicas cannot outrun one another."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, agent_id: str, day: date, reservation: UUID, usd: Decimal, tokens: int
    ) -> bool:
        """Whether the worst case still fits into the day; reserved if so.

        Raises AgentUnknown when the agent went meanwhile.
        """
        try:
            row = await self._database.fetch_one(
                SQL["reserve_budget"],
                agent_id,
                day,
                reservation,
                usd,
                tokens,
                RESERVATION_TTL,
            )
        except asyncpg.ForeignKeyViolationError:
            raise AgentUnknown(agent_id) from None
        return row is not None

    async def settle(
        self, agent_id: str, reservation: UUID, usd: Decimal, tokens: int
    ) -> None:
        """Replaces the reservation by what was used; nothing if it has expired."""
        await self._database.fetch(
            SQL["settle_budget"], agent_id, reservation, usd, tokens
        )

    async def expire(self) -> None:
        """Books the reservations of the dead as spent."""
        await self._database.fetch(SQL["expire_reservations"])

    async def spending(self, agent_id: str, day: date) -> Spending:
        """The day so far; AgentUnknown if there is no such agent."""
        row = await self._database.fetch_one(SQL["budget_state"], agent_id, day)
        if row is None:
            raise AgentUnknown(agent_id)
        return Spending(
            row["usd_per_day"], row["spent_usd"], row["reserved_usd"], row["tokens"]
        )
