"""Decisions in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import orjson

from safety_validator.models import Decision
from servicekit.database import Database, load_queries

__all__ = ["Decisions"]

_QUERIES = load_queries("safety_validator.stores")


class Decisions:
    """The table `decisions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, decisions: Sequence[Decision]) -> None:
        """Writes them in one statement; those already there stay as they are.

        Raises Unavailable when PostgreSQL is out.
        """
        columns = zip(*map(_row, decisions), strict=True)
        await self._database.fetch(
            _QUERIES["insert_decisions"], *(list(column) for column in columns)
        )


def _row(decision: Decision) -> tuple[Any, ...]:
    found = {finding.rule: finding for finding in decision.findings}
    categories = [
        {"name": f.category.value, "rule": f.rule, "score": f.score}
        for f in found.values()
    ]
    return (
        decision.id,
        decision.agent_id,
        decision.kind,
        decision.stream,
        decision.verdict.value,
        orjson.dumps(categories).decode(),
        decision.content_digest,
        decision.policy_version,
        decision.created_at,
    )
