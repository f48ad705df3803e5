"""The chain of a writer's decisions: what follows a record proves it unchanged.

A record's hash is SHA-256 over its fields and the hash of the record before, as one
JSON list (`_canonical`). Whoever may write to the table could make a whole chain anew;
so the service key seals where each chain begins and ends.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from safety_validator.models import ChainEnd, Decision, Finding, Link, Record

__all__ = ["GENESIS", "Chain", "Seals", "categories_of", "record_hash"]

# Before a writer's first record.
GENESIS = bytes(32)
# Of the canonical form; part of it.
_FORM = 1
# Enough to tell scores apart, and the same when PostgreSQL gives them back.
_SCORE_DIGITS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEAL_PURPOSE = b"audit-seal-v1"


def categories_of(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """What a record keeps of findings: of each rule the first, without its place."""
    found: dict[str, Finding] = {}
    for finding in findings:
        found.setdefault(finding.rule, finding)
    return [
        {
            "layer": f.layer,
            "name": f.category.value,
            "rule": f.rule,
            "score": round(float(f.score), _SCORE_DIGITS),
        }
        for f in found.values()
    ]


def record_hash(record: Record, link: Link) -> bytes:
    """SHA-256 over the record's canonical form and its place in the chain."""
    return hashlib.sha256(_canonical(record, link)).digest()


def _canonical(record: Record, link: Link) -> bytes:
    fields = [
        _FORM,
        str(link.writer_id),
        link.writer_seq,
        link.prev_hash.hex(),
        str(record.id),
        record.agent_id,
        record.kind,
        record.stream,
        record.verdict,
        record.categories,
        record.content_digest.hex(),
        record.policy_version,
        (record.created_at - _EPOCH) // timedelta(microseconds=1),
    ]
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


class Chain:
    """Where a writer's chain ends; links what comes next."""

    def __init__(self, writer_id: UUID) -> None:
        self.writer_id = writer_id
        self.end = ChainEnd(0, GENESIS)

    def linked(self, decisions: Sequence[Decision]) -> list[tuple[Record, Link]]:
        """The decisions as the next records; `end` stays until they are written."""
        seq, before = self.end
        linked = []
        for decision in decisions:
            seq += 1
            record = _record(decision)
            open_link = Link(self.writer_id, seq, before, b"")
            before = record_hash(record, open_link)
            linked.append((record, open_link._replace(hash=before)))
        return linked


def _record(decision: Decision) -> Record:
    return Record(
        id=decision.id,
        agent_id=decision.agent_id,
        kind=decision.kind,
        stream=decision.stream,
        verdict=decision.verdict.value,
        categories=categories_of(decision.findings),
        content_digest=decision.content_digest,
        policy_version=decision.policy_version,
        created_at=decision.created_at,
        content=decision.content,
    )


class Seals:
    """Made of the service key; without one there are none."""

    def __init__(self, service_key: str | None) -> None:
        self._key = (
            None
            if service_key is None
            else hmac.digest(service_key.encode(), _SEAL_PURPOSE, "sha256")
        )

    def seal(
        self, name: str, writer_id: UUID, number: int, end: ChainEnd
    ) -> bytes | None:
        """The seal on one end (`anchor` or `head`) of a writer's chain."""
        if self._key is None:
            return None
        sealed = [name, str(writer_id), number, end.seq, end.hash.hex()]
        return hmac.digest(self._key, orjson.dumps(sealed), "sha256")
