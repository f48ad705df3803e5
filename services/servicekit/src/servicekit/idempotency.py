"""`Idempotency-Key`: the first answer is kept beside what it stored."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import asyncpg
from fastapi import Header
from pydantic import BaseModel, StringConstraints

from servicekit.database import Database
from servicekit.errors import Conflict

__all__ = ["Idempotency", "IdempotencyHeader", "IdempotencyKey"]

# After this a key may be used anew.
KEEP = timedelta(hours=24)

IdempotencyHeader = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255)] | None,
    Header(alias="Idempotency-Key"),
]

SELECT = """
SELECT request_digest, response FROM idempotency_keys
WHERE agent_id = $1 AND operation = $2 AND key = $3
"""
INSERT = """
INSERT INTO idempotency_keys (agent_id, operation, key, request_digest, response)
VALUES ($1, $2, $3, $4, $5)
"""
PRUNE = "DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key for one operation of one agent, bound to a request's digest."""

    agent_id: str
    operation: str
    key: str
    request_digest: bytes

    @classmethod
    def of(
        cls, agent_id: str, operation: str, key: str, request: BaseModel
    ) -> "IdempotencyKey":
        """The key for exactly this request."""
        digest = hashlib.sha256(request.model_dump_json().encode()).digest()
        return cls(agent_id, operation, key, digest)

    async def keep(self, connection: asyncpg.Connection, response: str) -> None:
        """Stores the first answer in the transaction that did the work.

        Raises asyncpg.UniqueViolationError when another request was first.
        """
        await connection.execute(
            INSERT,
            self.agent_id,
            self.operation,
            self.key,
            self.request_digest,
            response,
        )


class Idempotency:
    """The answers given so far."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first_answer(self, key: IdempotencyKey) -> str | None:
        """The answer that this key got before; Conflict if for another request."""
        row = await self._database.fetch_one(
            SELECT, key.agent_id, key.operation, key.key
        )
        if row is None:
            return None
        if row["request_digest"] != key.request_digest:
            raise Conflict("this Idempotency-Key was used for another request")
        response: str = row["response"]
        return response

    async def prune(self) -> None:
        """Forgets keys that are old."""
        await self._database.fetch(PRUNE, KEEP)
