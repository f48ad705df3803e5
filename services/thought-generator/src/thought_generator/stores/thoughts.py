"""Thoughts in PostgreSQL: committed into their chain, read back."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from hashlib import blake2b
from typing import Any
from uuid import UUID

import asyncpg

from servicekit.database import Database, load_queries
from servicekit.idempotency import IdempotencyKey
from thought_generator.errors import AgentUnknown, Fenced, StreamUnknown
from thought_generator.models.feed import FeedEnd
from thought_generator.models.leases import Lease
from thought_generator.models.prompts import Origin, Prompt, Quoted, Stable
from thought_generator.models.thoughts import Basis, Draft, ModelOut, Previous, Thought
from thought_generator.prompting import stable_of

SQL = load_queries("thought_generator.stores")
# Agents whose last own write is remembered, so that a replica's lag does not hide it.
MAX_REMEMBERED_AGENTS = 1000
# More thoughts of one agent than are committed while an answer is in the cache.
MAX_CACHE_REACH = 20_000
# Of the parts of a score: what is shown of them. More would be a fifth of the row.
SCORE_DIGITS = 4
# Of the digest that tells stable parts of prompts apart.
DIGEST_BYTES = 16

FIELDS = tuple(field.name for field in fields(Thought))


class ThoughtStore:
    """Commits with the lease's epoch; reads from a replica where it is fresh."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self._replica = replica
        self._written: OrderedDict[str, int] = OrderedDict()

    async def commit(self, draft: Draft, lease: Lease | None) -> Thought:
        """Gives the draft its place. Fenced when the lease is lost or paused."""
        arguments = self._arguments(draft, lease)
        row = await self._database.fetch_one(*arguments)
        return self._placed(draft, lease, row)

    async def commit_once(
        self, draft: Draft, key: IdempotencyKey, answer: Callable[[Thought], str]
    ) -> Thought | None:
        """Commits together with its answer to `key`; None if it has one already."""
        try:
            async with self._database.transaction() as connection:
                row = await connection.fetchrow(*self._arguments(draft, None))
                thought = self._placed(draft, None, row)
                await key.keep(connection, answer(thought))
        except asyncpg.UniqueViolationError:
            return None
        return thought

    async def get(self, thought_id: UUID) -> Thought | None:
        """A thought by its id."""
        row = await self._database.fetch_one(SQL["thought_by_id"], thought_id)
        return _thought(row) if row else None

    async def recent(
        self, agent_id: str, stream: str | None, before: int | None, limit: int
    ) -> list[Thought]:
        """Newest first, behind the feed position `before`."""
        arguments = (SQL["recent_thoughts"], agent_id, stream, before, limit)
        rows = await self._database.read(*arguments)
        if not rows or rows[0]["agent_position"] < self._written.get(agent_id, 0):
            rows = await self._database.fetch(*arguments)
        if not rows:
            raise AgentUnknown(agent_id)
        return [_thought(row) for row in rows if row["id"] is not None]

    async def after(self, agent_id: str, position: int, limit: int) -> list[Thought]:
        """The agent's feed behind `position`, oldest first."""
        rows = await self._database.fetch(
            SQL["thoughts_after"], agent_id, position, limit
        )
        return [_thought(row) for row in rows]

    async def basis(self, agent_id: str, thought_id: UUID) -> Basis | None:
        """How a thought was made."""
        row = await self._database.fetch_one(
            SQL["thought_basis"], agent_id, thought_id, MAX_CACHE_REACH
        )
        return _basis(row) if row else None

    async def by_seq(
        self, agent_id: str, stream: str, seqs: Iterable[int]
    ) -> dict[int, tuple[str, UUID | None]]:
        """What some thoughts of a stream say, and the messages they reply to."""
        rows = await self._database.fetch(
            SQL["thoughts_by_seq"], agent_id, stream, list(seqs)
        )
        return {row["seq"]: (row["content"], row["heard"]) for row in rows}

    async def replies(
        self, agent_id: str, session_id: str, limit: int
    ) -> list[tuple[int, UUID, str]]:
        """The last replies of a conversation, newest first: the place in the stream,
        what the message is kept as, what was replied."""
        rows = await self._database.fetch(
            SQL["session_replies"], agent_id, session_id, limit
        )
        return [(row["seq"], row["heard"], row["content"]) for row in rows]

    async def feed_ends(self, agent_ids: list[str]) -> dict[str, FeedEnd]:
        """Where the feed of each agent that exists has come to."""
        rows = await self._database.fetch(SQL["feed_ends"], agent_ids)
        return {
            row["agent_id"]: FeedEnd(row["position"], row["created_at"]) for row in rows
        }

    def _arguments(self, draft: Draft, lease: Lease | None) -> tuple[Any, ...]:
        return (
            SQL["commit_thought"],
            draft.agent_id,
            draft.stream,
            lease.epoch if lease else None,
            draft.id,
            self._replica,
            draft.content,
            draft.engine,
            draft.model,
            draft.cached,
            draft.context_digest,
            _kept(draft),
            draft.safety,
            _usage(draft),
            draft.timings_ms,
            draft.stop_reason,
            draft.verdict,
            *_payment(draft),
            draft.session_id,
            draft.heard,
            *_prompt(draft),
            draft.outage.problem if draft.outage else None,
            draft.born_at,
        )

    def _placed(
        self, draft: Draft, lease: Lease | None, row: asyncpg.Record | None
    ) -> Thought:
        if row is None:
            raise Fenced if lease else StreamUnknown(draft.stream)
        self._written[draft.agent_id] = row["position"]
        self._written.move_to_end(draft.agent_id)
        if len(self._written) > MAX_REMEMBERED_AGENTS:
            self._written.popitem(last=False)
        return Thought(
            id=draft.id,
            agent_id=draft.agent_id,
            stream=draft.stream,
            content=draft.content,
            engine=draft.engine,
            model=draft.model,
            cached=draft.cached,
            context_digest=draft.context_digest,
            recalled=_recalled(draft),
            stop_reason=draft.stop_reason,
            # Also what was brought: who reads it again is to see the same, to the byte.
            **row,
        )


def _thought(row: asyncpg.Record) -> Thought:
    return Thought(**{name: row[name] for name in FIELDS})


def _recalled(draft: Draft) -> list[dict[str, Any]]:
    return [
        {"memory_id": str(m.memory_id), "score": m.score, "content": m.content}
        for m in draft.recalled
    ]


def _kept(draft: Draft) -> list[dict[str, Any]]:
    """What memories say is not copied: it could be forgotten there and not here."""
    return [
        {
            "memory_id": str(m.memory_id),
            "score": m.score,
            "scores": [each and round(each, SCORE_DIGITS) for each in m.scores],
            "evidence": m.evidence,
        }
        for m in draft.recalled
    ]


def _prompt(draft: Draft) -> tuple[Any, ...]:
    prompt = draft.prompt
    if prompt is None:
        return None, None, None, None, None, None
    stable = stable_of(prompt)
    parts = (stable.version, stable.persona, stable.instruction, stable.rules)
    digest = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part.encode())
    explanation = _explanation(prompt)
    if draft.outage is not None:
        explanation["outage"] = asdict(draft.outage)
    return digest.digest(), explanation, *parts


def _explanation(prompt: Prompt) -> dict[str, Any]:
    origin, context = prompt.origin, prompt.context
    kept: dict[str, Any] = {
        "verdict": origin.context_verdict,
        "seqs": _runs(origin.seqs),
    }
    if origin.quoted is not None:
        quoted = asdict(origin.quoted)
        kept["quoted"] = {**quoted, "memory_id": str(origin.quoted.memory_id)}
        end = origin.quoted.at + origin.quoted.chars
        context = context[: origin.quoted.at] + context[end:]
    return {**kept, "context": context}


def _runs(seqs: Iterable[int]) -> list[list[int]]:
    """The numbers as runs of [first, last]: mostly it is one."""
    runs: list[list[int]] = []
    for seq in sorted(seqs):
        if runs and seq == runs[-1][1] + 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    return runs


def _basis(row: asyncpg.Record) -> Basis:
    kept = row["explanation"] or {}
    quoted = kept.get("quoted")
    known = row["version"] is not None
    return Basis(
        stable=(
            Stable(row["version"], row["persona"], row["instruction"], row["rules"])
            if known
            else None
        ),
        context=kept.get("context", ""),
        origin=Origin(
            quoted=(
                Quoted(UUID(quoted["memory_id"]), quoted["at"], quoted["chars"])
                if quoted
                else None
            ),
            seqs=tuple(
                seq
                for first, last in kept.get("seqs", ())
                for seq in range(first, last + 1)
            ),
            context_verdict=kept.get("verdict"),
        ),
        heard=row["heard"],
        previous=(
            Previous(row["before_id"], row["before_seq"], row["before_content"])
            if row["before_id"]
            else None
        ),
        cached_from=row["cached_from"],
        outage=ModelOut(**kept["outage"]) if "outage" in kept else None,
    )


def _payment(draft: Draft) -> tuple[Any, ...]:
    payment = draft.payment
    if payment is None:
        return None, None, None, None
    return payment.reservation, payment.day, payment.usd, payment.tokens


def _usage(draft: Draft) -> dict[str, Any]:
    return {**asdict(draft.usage), "cost_usd": float(draft.usage.cost_usd)}
