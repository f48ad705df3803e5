"""What memory-service is to forget for good, and what keeps it so."""

from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import DEFAULT_AGENT_ID, AgentId, Answer, Contract, Text, Timestamp
from contracts.memory import MAX_CONTENT_CHARS
from contracts.recall import RecallFilters

__all__ = [
    "ForgetRequest",
    "ForgetResponse",
    "Tombstone",
    "TombstoneKind",
    "TombstoneList",
]


class ForgetRequest(Contract):
    """What to forget for good: a value, or all memories that meet the filters.

    A value is met by every memory that has its words one after the other, in whatever
    writing; so choose one that says what is to go ("Carla Rossi", not "Carla").
    """

    agent_id: AgentId = DEFAULT_AGENT_ID
    value: Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)] | None = None
    filters: RecallFilters | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.filters is None):
            raise ValueError("give either a value or filters")
        if self.filters is not None and not self.filters.model_dump(exclude_none=True):
            raise ValueError("filters must name at least one condition")
        return self


class ForgetResponse(Answer):
    """How many memories were forgotten, and what went with them.

    `versions` are past versions, `derived` what was made from a forgotten memory,
    `tombstones` the values that nobody can write any more.
    """

    memories: int
    versions: int
    derived: int
    tombstones: int


class TombstoneKind(StrEnum):
    """Whether a value was deleted, or is forgotten whoever feeds it again."""

    DELETED = "deleted"
    FORGOTTEN = "forgotten"


class Tombstone(Answer):
    """A value that does not come back; what it was is not kept."""

    id: UUID
    agent_id: str
    kind: TombstoneKind
    created_at: Timestamp
    created_by: str


class TombstoneList(Answer):
    """A page, newest first; `next_cursor` is null at the end."""

    records: list[Tombstone]
    next_cursor: str | None
