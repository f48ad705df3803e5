"""Opens what lives long, wires it, closes it in reverse."""

import asyncio

from contracts.clients import HttpSafety, SafetyApi
from memory_service.domain.accesses import Accesses
from memory_service.domain.agent_index import Threads
from memory_service.domain.answers import Answers
from memory_service.domain.builds import Builds
from memory_service.domain.caching import Caches
from memory_service.domain.capacity import Capacity
from memory_service.domain.consolidation import Consolidation
from memory_service.domain.counting import Counting
from memory_service.domain.feed import Feed
from memory_service.domain.forgetting import Forgetting
from memory_service.domain.indexes import Indexes, Opener
from memory_service.domain.jobs import Jobs
from memory_service.domain.judging import Judging
from memory_service.domain.memories import Memories
from memory_service.domain.opening import Opening
from memory_service.domain.partitions import Partitions
from memory_service.domain.query_vectors import QueryVectors
from memory_service.domain.queue import WriteQueue
from memory_service.domain.recall import Recall
from memory_service.domain.schedule import Schedule
from memory_service.domain.shared_index import SharedOpening
from memory_service.domain.snapshots import Snapshots
from memory_service.domain.transfer import Transfer
from memory_service.domain.upkeep import Upkeep
from memory_service.domain.writing import Writing
from memory_service.domain.written import WrittenSeqs
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.milvus import Milvus
from memory_service.providers.safety import Judge
from memory_service.providers.shelf import Shelf
from memory_service.settings import Settings
from memory_service.stores.accesses import AccessStore
from memory_service.stores.changes import ChangeListener, ChangeStore
from memory_service.stores.consolidation import ConsolidationStore
from memory_service.stores.counts import CountStore
from memory_service.stores.forgetting import ForgettingStore
from memory_service.stores.jobs import JobStore
from memory_service.stores.judgements import Judgements
from memory_service.stores.partitions import PartitionStore
from memory_service.stores.reads import MemoryReads
from memory_service.stores.revisions import Revisions
from memory_service.stores.search import MemorySearch
from memory_service.stores.staleness import Staleness
from memory_service.stores.tombstones import Tombstones
from memory_service.stores.turns import Turns
from memory_service.stores.vectors import VectorReads
from memory_service.stores.writes import MemoryWrites
from servicekit.background import Background
from servicekit.cache import Cache
from servicekit.database import Database
from servicekit.gauges import keep_measuring
from servicekit.idempotency import Idempotency
from servicekit.metrics import REPLICA_LAG_SECONDS


class Context:
    """Everything a running memory-service holds."""

    def __init__(self, settings: Settings, safety: SafetyApi | None = None) -> None:
        self._shutdown_s = float(settings.shutdown_seconds)
        self._http_safety = HttpSafety(settings.safety_url, settings.service_key_text)
        self.database = Database(
            "memory-service",
            "memory_service",
            settings.database_url,
            settings.database_replica_url,
            settings.database_pool_size,
        )
        self._cache = Cache(settings.redis_url)
        self.caches = Caches(self._cache)
        self.embedder = EmbeddingQueue(settings.model_dir)
        model = self.embedder.model
        judge = Judge(safety or self._http_safety, settings.service_key_text)
        self.staleness = Staleness(self.database)
        self.reads = reads = MemoryReads(self.database, self.staleness)
        writes = MemoryWrites(self.database, model)
        revisions = Revisions(self.database, model)
        idempotency = Idempotency(self.database)
        written = WrittenSeqs()
        own_files = settings.index_dir if settings.vector_store == "faiss" else None
        shelf = Shelf(own_files, model)
        vectors = VectorReads(self.database, model)
        changes = ChangeStore(self.database, model)
        threads = Threads()
        opener: Opener = Opening(shelf, vectors, changes, threads)
        if settings.vector_store == "milvus":
            turns = Turns(self.database)
            milvus = _make_milvus(settings, model)
            opener = SharedOpening(milvus, turns, vectors, changes, threads)
        self.indexes = Indexes(changes, shelf, threads, opener)
        self._snapshots = Snapshots(self.indexes, shelf, vectors)
        self._builds = Builds(self.indexes, self._snapshots)
        self.feed = Feed(self.indexes, written)
        self._queue = WriteQueue(writes)
        self.accesses = Accesses(AccessStore(self.database))
        self.upkeep = Upkeep(revisions, idempotency, self.feed, written, self.caches)
        self.partitions = Partitions(
            PartitionStore(self.database),
            revisions,
            self.feed,
            written,
            self.caches,
            settings.memory_retention_months,
        )
        self.counting = Counting(CountStore(self.database))
        direct = settings.database_direct_url or settings.database_url
        self._listener = ChangeListener(
            direct.get_secret_value(), self.feed.wake, self._see_timeline
        )
        self.writing = Writing(
            judge, self.embedder, writes, self._queue, idempotency, self.feed, written
        )
        self.memories = Memories(
            reads,
            revisions,
            judge,
            self.embedder,
            self.indexes,
            self.feed,
            written,
        )
        self.forgetting = Forgetting(
            ForgettingStore(self.database),
            Tombstones(self.database),
            self.feed,
            written,
            self.caches,
        )
        query_vectors = QueryVectors(self.embedder, self.caches)
        self.recall = Recall(
            query_vectors, self.indexes, MemorySearch(reads), self.accesses, written
        )
        self.answers = Answers(
            self.caches,
            self.recall,
            self.memories,
            self.indexes,
            written,
            self.accesses,
        )
        self.judging = Judging(
            Judgements(self.database, model),
            judge,
            self.embedder,
            self.feed,
            written,
            self.caches,
        )
        self.transfer = Transfer(self.writing, reads, self.judging)
        consolidations = ConsolidationStore(self.database, model)
        capacity = Capacity(
            consolidations,
            revisions,
            self.feed,
            written,
            self.caches,
            settings.memory_capacity,
        )
        job_store = JobStore(self.database)
        self.jobs = Jobs(
            job_store,
            Consolidation(consolidations, self.writing),
            capacity,
            idempotency,
        )
        self.schedule = Schedule(
            self.jobs, consolidations, job_store, capacity, self.embedder
        )
        self._background = Background()

    async def open(self) -> None:
        """Begins; `/readyz` says when it is done."""
        self._background.start("begin", self._begin)

    async def _begin(self) -> None:
        """Connects and loads at once, then starts the work listed here."""
        await asyncio.gather(
            self.database.open(), self.embedder.open(), self.indexes.open_files()
        )
        # The first caller finds the replica's pool open.
        await self.reads.replica_lag_seconds()
        self._background.start("embed", self.embedder.run)
        self._background.start("store", self._queue.run)
        self._background.start("follow", self.feed.run)
        self._background.start("build", self._builds.run)
        self._background.start("save", self._snapshots.run)
        self._background.start("listen", self._listener.run)
        self._background.start("count-accesses", self.accesses.run)
        self._background.start("judge-imports", self.judging.run)
        self._background.start("expire", self.upkeep.expire)
        self._background.start("keep-partitions", self.partitions.run)
        self._background.start("count-memories", self.counting.run)
        self._background.start("watch-replica", self.staleness.run)
        self._background.start("prune-keys", self.upkeep.prune_keys)
        self._background.start("work-on-jobs", self.jobs.run)
        self._background.start("open-jobs", self.schedule.run)
        self._background.start("measure", self._measure)

    async def let_go(self) -> None:
        """Hands over what another replica may go on with."""
        await self._background.stop("work-on-jobs")

    async def close(self) -> None:
        """Closes in reverse."""
        await self._background.close()
        self._queue.close()
        self.embedder.close()
        await self.indexes.close(within_s=self._shutdown_s)
        await self.caches.close()
        await self._cache.close()
        await self._http_safety.close()
        await self.database.close()

    def _see_timeline(self, timeline: str) -> None:
        self.caches.see_timeline(timeline)
        self.feed.see_timeline(timeline)

    async def _measure(self) -> None:
        await keep_measuring({REPLICA_LAG_SECONDS: self.reads.replica_lag_seconds})


def _make_milvus(settings: Settings, model: str) -> Milvus:
    assert settings.milvus_uri is not None
    token = settings.milvus_token
    return Milvus(
        settings.milvus_uri,
        token.get_secret_value() if token else None,
        settings.milvus_collection,
        model,
    )
