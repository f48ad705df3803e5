"""The first answer to an idempotent write: names of memories, never their content."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from memory_service.errors import BlockedBySafety, Forgotten
from memory_service.models.memories import Kept, Outcome
from servicekit.errors import AppError

# Agent, id, whether it was stored then, and the change that merged it; or why not.
Named = tuple[str, UUID, bool, int | None] | AppError


def write_answer(outcomes: Sequence[Outcome]) -> str:
    """The text that is kept under the key."""
    return orjson.dumps([_write(outcome) for outcome in outcomes]).decode()


def read_answer(text: str) -> list[Named]:
    """What was answered then, in its order."""
    return [_read(item) for item in orjson.loads(text)]


def _write(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Kept):
        memory = outcome.memory
        return {
            "agent_id": memory.agent_id,
            "id": str(memory.id),
            "fresh": outcome.fresh,
            "merged_seq": outcome.merged_seq,
        }
    return {"kind": outcome.kind, "detail": outcome.detail, **outcome.members}


def _read(item: dict[str, Any]) -> Named:
    if "id" in item:
        merged_seq = item.get("merged_seq")
        return item["agent_id"], UUID(item["id"]), item["fresh"], merged_seq
    if item["kind"] == BlockedBySafety.kind:
        return BlockedBySafety(item["verdict"])
    return Forgotten(item["detail"])
