"""Vectors kept by Milvus, for all replicas together and all agents beside each other.

A row a memory, under the key `agent/number`; the agent is the partition key and part of
every filter, so that no search sees another agent's rows. How far an agent's rows go is
noted in a collection of its own, after them: whoever finds the note finds the rows.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from typing import Any

import numpy as np

from memory_service import metrics
from memory_service.errors import VectorsUnavailable
from memory_service.models.vectors import Change, Noted, Part, Position, Seqs, Vector
from memory_service.providers.vectors.agent import ALL_PARTS
from memory_service.providers.vectors.rows import DIMENSION, unpack_vectors

KIND = "milvus"

# A search takes milliseconds; a call this late is of no use to who waits for it.
SEARCH_TIMEOUT_S = 5.0
# Together they stay below the time that a turn may take.
WRITE_TIMEOUT_S = 3.0
CLEAR_TIMEOUT_S = 12.0
CONNECT_TIMEOUT_S = 1.0
OPEN_TIMEOUT_S = 10.0
# After a failure nobody waits for the next one: calls fail at once for so long.
PAUSE_S = 1.0

# Numbers in one filter: an expression is text, and parsed.
MAX_LISTED = 10_000
# Results of one search; Milvus allows no more.
MAX_RESULTS = 16_384

# Milvus' default; agents are spread over so many partitions by hash.
PARTITIONS = 16
# Edges of a vector, and candidates looked at when it is added and when it is searched:
# even over 8-bit codes this finds 0.986 of the ten nearest of a million.
INDEX = {"M": 24, "efConstruction": 200}
MIN_EF = 400

MAX_AGENT_CHARS = 128
MAX_KEY_CHARS = MAX_AGENT_CHARS + 20
MAX_TIMELINE_CHARS = 256


class Milvus:
    """The two collections of a deployment; blocks: to be called in threads."""

    def __init__(
        self, uri: str, token: str | None, collection: str, model: str
    ) -> None:
        self._uri = uri
        self._token = token or ""
        # Vectors of two models are never compared.
        suffix = hashlib.sha256(model.encode()).hexdigest()[:8]
        self.rows = f"{collection}_{suffix}"
        self.notes = f"{self.rows}_notes"
        self._client: Any = None
        self._opening = Lock()
        self._away_until_s = 0.0

    @contextmanager
    def session(self) -> Iterator[Any]:
        """The connection; raises VectorsUnavailable, as what is done with it."""
        if time.monotonic() < self._away_until_s:
            raise VectorsUnavailable("Milvus did not answer a moment ago")
        try:
            yield self.client()
        except _away() as error:
            self._away_until_s = time.monotonic() + PAUSE_S
            # One that was restarted may have to be told to load the collections.
            self._client = None
            metrics.VECTOR_STORE_FAILURES.inc()
            raise VectorsUnavailable(f"Milvus: {type(error).__name__}") from error

    def client(self) -> Any:
        """The connection, made and the collections with it when it is first needed."""
        with self._opening:
            if self._client is None:
                client = import_module("pymilvus").MilvusClient(
                    self._uri, token=self._token, timeout=CONNECT_TIMEOUT_S
                )
                self._prepare(client)
                self._client = client
            return self._client

    def close(self) -> None:
        """Disconnects."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _prepare(self, client: Any) -> None:
        types = import_module("pymilvus").DataType

        def rows(schema: Any) -> None:
            key = {"max_length": MAX_KEY_CHARS, "is_primary": True}
            agent = {"max_length": MAX_AGENT_CHARS, "is_partition_key": True}
            schema.add_field("key", types.VARCHAR, **key)
            schema.add_field("agent", types.VARCHAR, **agent)
            schema.add_field("seq", types.INT64)
            schema.add_field("part", types.VARCHAR, max_length=16)
            schema.add_field("vector", types.FLOAT_VECTOR, dim=DIMENSION)

        def notes(schema: Any) -> None:
            key = {"max_length": MAX_AGENT_CHARS, "is_primary": True}
            schema.add_field("agent", types.VARCHAR, **key)
            schema.add_field("seq", types.INT64)
            schema.add_field("timeline", types.VARCHAR, max_length=MAX_TIMELINE_CHARS)
            schema.add_field("vectors", types.INT64)
            # Milvus has no collection without one.
            schema.add_field("nothing", types.FLOAT_VECTOR, dim=2)

        hnsw = {"index_type": "HNSW", "metric_type": "IP", "params": INDEX}
        flat = {"index_type": "FLAT", "metric_type": "IP"}
        self._ensure(client, self.rows, rows, "vector", hnsw, PARTITIONS)
        self._ensure(client, self.notes, notes, "nothing", flat, None)

    def _ensure(
        self,
        client: Any,
        name: str,
        add_fields: Callable[[Any], None],
        vector: str,
        index: dict[str, Any],
        partitions: int | None,
    ) -> None:
        """Makes a collection unless it is there, perhaps since this very moment."""
        if not client.has_collection(name, timeout=OPEN_TIMEOUT_S):
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            add_fields(schema)
            indexes = client.prepare_index_params()
            indexes.add_index(vector, **index)
            spread = {} if partitions is None else {"num_partitions": partitions}
            try:
                client.create_collection(
                    name,
                    schema=schema,
                    index_params=indexes,
                    consistency_level="Strong",
                    timeout=OPEN_TIMEOUT_S,
                    **spread,
                )
            except import_module("pymilvus").MilvusException:
                if not client.has_collection(name, timeout=OPEN_TIMEOUT_S):
                    raise
        client.load_collection(name, timeout=OPEN_TIMEOUT_S)


class MilvusVectors:
    """One agent's vectors; blocks: to be called in threads.

    Changes and what is noted of them are for one caller at a time, among all replicas.
    Every method raises VectorsUnavailable.
    """

    kind = KIND
    # All of it is elsewhere.
    private_bytes = 0

    def __init__(self, milvus: Milvus, agent_id: str) -> None:
        self._milvus = milvus
        self._agent_id = agent_id
        self._filter = f'agent == "{agent_id}"'
        self._noted = Noted(Position(0, ""), 0)
        # Whether the rows are those that the note tells of: not where somebody may have
        # left a turn half done.
        self._whole = False

    def __len__(self) -> int:
        return self._noted.vectors

    def position(self) -> Position | None:
        """How far the rows go, as the replica says that wrote the last of them."""
        with self._milvus.session() as client:
            found = client.get(
                self._milvus.notes,
                ids=[self._agent_id],
                output_fields=["seq", "timeline", "vectors"],
                timeout=WRITE_TIMEOUT_S,
            )
            if not found:
                return None
            (note,) = found
            position = Position(note["seq"], note["timeline"])
            if self._noted != (noted := Noted(position, note["vectors"])):
                self._settle(client)
                self._noted, self._whole = noted, False
            return position

    def clear(self) -> None:
        """Removes all, and first what was noted of it."""
        with self._milvus.session() as client:
            client.delete(
                self._milvus.notes, ids=[self._agent_id], timeout=WRITE_TIMEOUT_S
            )
            client.delete(
                self._milvus.rows, filter=self._filter, timeout=CLEAR_TIMEOUT_S
            )
            self._noted = Noted(Position(0, ""), 0)

    def apply(self, changes: Sequence[Change], upto: Position) -> None:
        """Adds, replaces and removes, then notes that the rows go up to there."""
        newest = {change.memory_seq: change for change in changes}
        added = [change for change in newest.values() if change.vector]
        removed = [c.memory_seq for c in newest.values() if not c.vector]
        with self._milvus.session() as client:
            held = self._held(client, newest) if self._whole else None
            self._whole = False
            if added:
                client.upsert(
                    self._milvus.rows, self._rows(added), timeout=WRITE_TIMEOUT_S
                )
            if removed:
                client.delete(
                    self._milvus.rows,
                    ids=list(map(self._key, removed)),
                    timeout=WRITE_TIMEOUT_S,
                )
            if held is None:
                vectors = self._count(client)
            else:
                fresh = sum(change.memory_seq not in held for change in added)
                vectors = len(self) + fresh - len(held.intersection(removed))
            self._note(client, Noted(upto, vectors))
            self._settle(client)
            self._whole = True

    def search(
        self,
        vector: Vector,
        limit: int,
        *,
        parts: Collection[Part] = ALL_PARTS,
        within: Seqs | None = None,
    ) -> dict[int, float]:
        """The cosines of the nearest memories, of the parts and numbers chosen."""
        wanted = self._filter
        if set(parts) != ALL_PARTS:
            names = ", ".join(f'"{part.value}"' for part in sorted(parts))
            wanted += f" and part in [{names}]"
        found: dict[int, float] = {}
        with self._milvus.session() as client:
            for scope in _scopes(within):
                found |= self._search(client, vector, limit, wanted + scope)
        best = sorted(found, key=found.__getitem__, reverse=True)[:limit]
        return {seq: found[seq] for seq in best}

    def scores(self, vector: Vector, seqs: Sequence[int]) -> dict[int, float]:
        """The cosines of those memories that have a vector here, of whatever part."""
        if not seqs:
            return {}
        with self._milvus.session() as client:
            rows = client.get(
                self._milvus.rows,
                ids=list(map(self._key, seqs)),
                output_fields=["seq", "vector"],
                consistency_level="Eventually",
                timeout=SEARCH_TIMEOUT_S,
            )
        return {
            row["seq"]: float(np.asarray(row["vector"], np.float32) @ vector)
            for row in rows
        }

    def due(self) -> None:
        """Milvus builds by itself."""

    def _search(
        self, client: Any, vector: Vector, limit: int, wanted: str
    ) -> dict[int, float]:
        limit = min(limit, MAX_RESULTS)
        (hits,) = client.search(
            self._milvus.rows,
            data=[vector],
            filter=wanted,
            limit=limit,
            output_fields=["seq"],
            search_params={"params": {"ef": max(MIN_EF, limit)}},
            # What this replica applied is visible since then: see `_settle`.
            consistency_level="Eventually",
            timeout=SEARCH_TIMEOUT_S,
        )
        return {hit["entity"]["seq"]: hit["distance"] for hit in hits}

    def _held(self, client: Any, seqs: Collection[int]) -> set[int]:
        if not seqs:
            return set()
        rows = client.get(
            self._milvus.rows,
            ids=list(map(self._key, seqs)),
            output_fields=["seq"],
            timeout=WRITE_TIMEOUT_S,
        )
        return {row["seq"] for row in rows}

    def _count(self, client: Any) -> int:
        (found,) = client.query(
            self._milvus.rows,
            filter=self._filter,
            output_fields=["count(*)"],
            consistency_level="Strong",
            timeout=CLEAR_TIMEOUT_S,
        )
        return int(found["count(*)"])

    def _note(self, client: Any, noted: Noted) -> None:
        note = {
            "agent": self._agent_id,
            "seq": noted.position.seq,
            "timeline": noted.position.timeline,
            "vectors": noted.vectors,
            "nothing": [1.0, 0.0],
        }
        client.upsert(self._milvus.notes, [note], timeout=WRITE_TIMEOUT_S)
        self._noted = noted

    def _settle(self, client: Any) -> None:
        """Returns once searches see all that was written, here or by another replica.

        A search would wait for it otherwise, each one anew.
        """
        client.get(
            self._milvus.rows,
            ids=[self._key(0)],
            output_fields=["seq"],
            consistency_level="Strong",
            timeout=WRITE_TIMEOUT_S,
        )

    def _rows(self, changes: Sequence[Change]) -> list[dict[str, Any]]:
        vectors = unpack_vectors([c.vector for c in changes if c.vector])
        return [
            {
                "key": self._key(change.memory_seq),
                "agent": self._agent_id,
                "seq": change.memory_seq,
                "part": change.part.value,
                "vector": vector,
            }
            for change, vector in zip(changes, vectors, strict=True)
        ]

    def _key(self, seq: int) -> str:
        return f"{self._agent_id}/{seq}"


def _scopes(within: Seqs | None) -> Iterator[str]:
    """Filters that together say which numbers are meant."""
    if within is None:
        yield ""
        return
    for start in range(0, len(within), MAX_LISTED):
        listed = within[start : start + MAX_LISTED].tolist()
        yield f" and seq in {listed}"


def _away() -> tuple[type[Exception], ...]:
    return import_module("pymilvus").MilvusException, import_module("grpc").RpcError
