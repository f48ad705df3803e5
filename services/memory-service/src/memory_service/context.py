"""Opens what lives long, wires it, closes it in reverse."""

import asyncio

from contracts.clients import HttpSafety, SafetyApi
from memory_service.domain.accesses import Accesses
from memory_service.domain.feed import Feed
from memory_service.domain.indexes import Indexes
from memory_service.domain.memories import Memories
from memory_service.domain.queue import WriteQueue
from memory_service.domain.recall import Recall
from memory_service.domain.transfer import Transfer
from memory_service.domain.upkeep import Upkeep
from memory_service.domain.writing import Writing
from memory_service.domain.written import WrittenSeqs
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.safety import Judge
from memory_service.settings import Settings
from memory_service.stores.accesses import AccessStore
from memory_service.stores.changes import ChangeListener, ChangeStore
from memory_service.stores.reads import MemoryReads
from memory_service.stores.revisions import Revisions
from memory_service.stores.writes import MemoryWrites
from servicekit.background import Background
from servicekit.database import Database
from servicekit.gauges import keep_measuring
from servicekit.idempotency import Idempotency
from servicekit.metrics import REPLICA_LAG_SECONDS


class Context:
    """Everything a running memory-service holds."""

    def __init__(self, settings: Settings, safety: SafetyApi | None = None) -> None:
        self._http_safety = HttpSafety(settings.safety_url, settings.service_key_text)
        self.database = Database(
            "memory-service",
            "memory_service",
            settings.database_url,
            settings.database_replica_url,
            settings.database_pool_size,
        )
        self.embedder = EmbeddingQueue(settings.model_dir)
        model = self.embedder.model
        judge = Judge(safety or self._http_safety, settings.service_key_text)
        self.reads = reads = MemoryReads(self.database)
        writes = MemoryWrites(self.database, model)
        revisions = Revisions(self.database, model)
        idempotency = Idempotency(self.database)
        written = WrittenSeqs()
        self.indexes = Indexes(ChangeStore(self.database, model))
        self.feed = Feed(self.indexes, written)
        self._queue = WriteQueue(writes)
        self.accesses = Accesses(AccessStore(self.database))
        self.upkeep = Upkeep(revisions, idempotency, self.feed, written)
        direct = settings.database_direct_url or settings.database_url
        self._listener = ChangeListener(
            direct.get_secret_value(), self.feed.wake, self.feed.see_timeline
        )
        self.writing = Writing(
            judge, self.embedder, writes, self._queue, idempotency, self.feed, written
        )
        self.memories = Memories(
            reads, revisions, judge, self.embedder, self.indexes, self.feed, written
        )
        self.recall = Recall(self.embedder, self.indexes, reads, self.accesses, written)
        self.transfer = Transfer(self.writing, reads)
        self._background = Background()

    async def open(self) -> None:
        """Begins; `/readyz` says when it is done."""
        self._background.start("begin", self._begin)

    async def _begin(self) -> None:
        """Connects and loads at once, then starts the work listed here."""
        await asyncio.gather(self.database.open(), self.embedder.open())
        # The first caller finds the replica's pool open.
        await self.reads.replica_lag_seconds()
        self._background.start("embed", self.embedder.run)
        self._background.start("store", self._queue.run)
        self._background.start("follow", self.feed.run)
        self._background.start("listen", self._listener.run)
        self._background.start("count-accesses", self.accesses.run)
        self._background.start("expire", self.upkeep.expire)
        self._background.start("prune-keys", self.upkeep.prune_keys)
        self._background.start("measure", self._measure)

    async def close(self) -> None:
        """Closes in reverse."""
        await self._background.close()
        self._queue.close()
        self.embedder.close()
        self.indexes.close()
        await self._http_safety.close()
        await self.database.close()

    async def _measure(self) -> None:
        await keep_measuring({REPLICA_LAG_SECONDS: self.reads.replica_lag_seconds})
