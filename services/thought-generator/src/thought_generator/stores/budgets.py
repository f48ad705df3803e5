"""Money and tokens in PostgreSQL: reserved before a call, settled after it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from servicekit.database import Database, load_queries
from thought_generator.errors import AgentUnknown
from thought_generator.models.budget import Limits, Offer, Payment, Reserved, Standing
from thought_generator.stores.agents import read_limits

SQL = load_queries("thought_generator.stores")
# Longer than any call to a model may take; what is older belongs to the dead.
RESERVATION_TTL = timedelta(minutes=5)


class BudgetStore:
    """Every step is one statement, so that replicas cannot outrun one another; days
    and times are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, agent_id: str, reservation: UUID, offers: Sequence[Offer]
    ) -> Reserved:
        """Reserves the first offer that still fits into the day.

        Raises AgentUnknown when the agent went meanwhile.
        """
        arguments = (
            agent_id,
            reservation,
            [offer.usd for offer in offers],
            [offer.tokens for offer in offers],
            [offer.below for offer in offers],
            RESERVATION_TTL,
        )
        while True:
            row = await self._database.fetch_one(SQL["reserve_budget"], *arguments)
            if row is not None:
                return Reserved(**row)
            # The first call of a day opens it.
            if not await self._database.fetch(SQL["open_budget_day"], agent_id):
                raise AgentUnknown(agent_id)

    async def settle(self, agent_id: str, payment: Payment) -> None:
        """Replaces the reservation by what was used; nothing if it has expired or is
        settled already."""
        await self._database.fetch(
            SQL["settle_budget"],
            agent_id,
            payment.reservation,
            payment.day,
            payment.usd,
            payment.tokens,
        )

    async def expire(self) -> None:
        """Books the reservations of the dead as spent."""
        await self._database.fetch(SQL["expire_reservations"])

    async def standing(self, agent_id: str) -> Standing:
        """The day so far; AgentUnknown if there is no such agent."""
        row = await self._database.fetch_one(SQL["budget_state"], agent_id)
        if row is None:
            raise AgentUnknown(agent_id)
        return Standing(
            limits=read_limits(row),
            spent_usd=row["spent_usd"],
            reserved_usd=row["reserved_usd"],
            tokens=row["tokens"],
            used=row["used"],
            refused=row["refused"],
            resets_at=row["resets_at"],
        )

    async def pressed(self) -> list[tuple[Limits, float, bool]]:
        """Of each agent near its limit: limits, part used, whether refused."""
        rows = await self._database.fetch(SQL["pressed_budgets"])
        return [(read_limits(row), row["used"], row["refused"]) for row in rows]
