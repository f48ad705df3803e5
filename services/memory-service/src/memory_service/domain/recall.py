"""Recall: two arms search at once, their findings are read, weighed and ordered."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from memory_service import metrics
from memory_service.domain.accesses import Accesses
from memory_service.domain.agent_index import AgentIndex
from memory_service.domain.common_words import CommonWords
from memory_service.domain.indexes import Indexes
from memory_service.domain.query_vectors import QueryVectors
from memory_service.domain.scoring import (
    best_candidates,
    confidence,
    finish,
    shares,
    weigh,
)
from memory_service.domain.written import WrittenSeqs
from memory_service.models.recall import FoundWords, Query, Recalled, Recollection
from memory_service.models.vectors import FACTS, THOUGHTS, Part, Seqs, Vector
from memory_service.providers.vectors.agent import AgentVectors
from memory_service.stores.search import MemorySearch
from servicekit.tracing import span

# Candidates of each arm for each memory asked for, and at least and at most.
CANDIDATES_EACH = 8
MIN_CANDIDATES = 100
MAX_CANDIDATES = 400
# Beyond the limit: ties are broken among them, and one may just have expired.
SPARE_MEMORIES = 10
# Of the candidates those are read that may come to be among the best: words too common
# to be searched for still move them. At most so many for each memory asked for; all
# where turns have neighbours, whose words count too.
READ_EACH = 4
# Where too few candidates may be recalled, so many times more are looked at.
WIDENING = 8
# Numbers of memories that a search is held to: they are read from an index in some 10
# ms. Of more it finds enough by itself, as a rule, when it looks at more candidates.
MAX_SCOPE = 50_000
# Memories visited by one keyword search, over all its words: they bound its time. Where
# nothing else is searched and too few were found, more.
KEYWORD_VISITS = 400
# Of more memories than these the statistics of the tables say which words are common.
MIN_STATISTICS = 20_000
MAX_KEYWORD_VISITS = 25_600


@dataclass(frozen=True, slots=True)
class _Search:
    """One recall under way, and how far it looks."""

    query: Query
    min_seq: int
    index: AgentIndex
    words: FoundWords
    vector: Vector | None
    # Candidates of each arm.
    limit: int
    # How many of them are read at least, and how many if they may be among the best.
    sure: int
    read: int
    # Memories that its words visited at most.
    visits: int
    within: Seqs | None = None
    # What the vector alone found, and the cosines of all candidates, where they are
    # known already.
    near: Mapping[int, float] | None = None
    cosines: Mapping[int, float] | None = None

    @property
    def total(self) -> int:
        """How many memories there are to choose from."""
        return len(self.index.vectors) if self.within is None else len(self.within)

    @property
    def done(self) -> bool:
        """Whether it looks at all of them."""
        return self.limit >= self.total and self.sure >= self.total

    def wider(self) -> "_Search":
        """The same, looking farther."""
        limit = self.limit * WIDENING
        visits = self.visits * WIDENING
        return self.changed(limit=limit, sure=limit * 2, read=limit * 2, visits=visits)

    def changed(self, **changes: Any) -> "_Search":
        """Another one, for which nothing was found yet."""
        return replace(self, near=None, cosines=None, **changes)

    def nearest(self, vectors: AgentVectors) -> Mapping[int, float]:
        """Cosines of what the vector alone finds."""
        assert self.vector is not None
        # Those behind the ones that are read could only pass them by words, and what
        # has any that are rare is a candidate by itself.
        most = self.sure if self.query.mode == "semantic" else self.read
        limit = min(self.limit, most)
        return vectors.search(self.vector, limit, parts=self._parts, within=self.within)

    def compared(self, vectors: AgentVectors) -> Mapping[int, float]:
        """Cosines of the candidates of both arms."""
        assert self.vector is not None
        near = self.nearest(vectors) if self.near is None else self.near
        others = [seq for seq in self.words.scores if seq not in near]
        return {**near, **vectors.scores(self.vector, others)} if others else near

    @property
    def _parts(self) -> set[Part]:
        evidence = self.query.filters.evidence or FACTS | THOUGHTS
        parts = {Part.FACTS: FACTS, Part.THOUGHTS: THOUGHTS}
        wanted = {part for part, classes in parts.items() if evidence & classes}
        return wanted | {Part.PAST} if self.query.include_history else wanted


@dataclass(frozen=True, slots=True)
class _Found:
    """Memories best first, and how many candidates could have been among them."""

    memories: list[Recalled]
    standing: int


class Recall:
    """Finds the memories that answer best."""

    def __init__(
        self,
        query_vectors: QueryVectors,
        indexes: Indexes,
        search: MemorySearch,
        accesses: Accesses,
        written: WrittenSeqs,
    ) -> None:
        self._query_vectors = query_vectors
        self._indexes = indexes
        self._search = search
        self._accesses = accesses
        self._written = written
        self._common_words = CommonWords()

    async def recall(self, query: Query, min_seq: int) -> Recollection:
        """Best first; raises NotCaughtUp, QueueFull, DatabaseUnavailable."""
        with span("search"), metrics.RETRIEVAL_SECONDS.labels(query.mode).time():
            wanted = self._written.at_least(query.agent_id, min_seq)
            index = await self._indexes.get(query.agent_id, wanted)
            # The answer holds at least that, and must not be taken for a later one.
            state = index.state
            # What the index names, the rows that are read must have.
            found = await self._find(query, max(wanted, index.applied), index)
        self._accesses.note(query.agent_id, [one.memory.seq for one in found])
        best = max((weigh(query.mode, _parts(one)) for one in found), default=None)
        floor = float("-inf") if query.min_score is None else query.min_score
        return Recollection(
            [one for one in found if one.score >= floor],
            state,
            0.0 if best is None else confidence(query.mode, best),
        )

    async def _find(
        self, query: Query, min_seq: int, index: AgentIndex
    ) -> list[Recalled]:
        search: _Search | None = await self._begin(query, min_seq, index)
        found = _Found([], 0)
        while search is not None and found.standing < query.limit:
            found = await self._look(search)
            if found.standing < query.limit:
                search = await self._farther(search)
        return found.memories[: query.limit]

    async def _begin(self, query: Query, min_seq: int, index: AgentIndex) -> _Search:
        limit = _candidates(query.limit)
        sure = query.limit + SPARE_MEMORIES

        def make(words: FoundWords, vector: Vector | None) -> _Search:
            few = max(READ_EACH * query.limit, sure)
            read = limit * 2 if words.has_sessions else few
            return _Search(
                query, min_seq, index, words, vector, limit, sure, read, KEYWORD_VISITS
            )

        words = self._words(query, min_seq, index, KEYWORD_VISITS, limit)
        if query.mode == "keyword":
            return make(await words, None)
        vector = self._query_vectors.known(query.agent_id, query.text)
        if vector is None and index.works_apart and not query.filters.may_be_few:
            return await self._begin_apart(query, index, words, make)
        if vector is None:
            embedding = self._query_vectors.embed_query(query.agent_id, query.text)
            found, vector = await asyncio.gather(words, embedding)
        else:
            found = await words
        search = make(found, vector)
        return await self._among_few(search) if query.filters.may_be_few else search

    async def _begin_apart(
        self,
        query: Query,
        index: AgentIndex,
        words: Coroutine[None, None, FoundWords],
        make: Callable[[FoundWords, Vector], _Search],
    ) -> _Search:
        """In one thread embeds the query and searches the index, beside its words.

        They are found first, as a rule.
        """
        keep = self._query_vectors.keeping(query.agent_id, query.text)
        asked = asyncio.create_task(words)

        def look(vectors: AgentVectors) -> _Search:
            vector = self._query_vectors.embed_here(query.text)
            if asked.done():
                search = make(asked.result(), vector)
                return replace(search, cosines=search.compared(vectors))
            search = make(FoundWords(), vector)
            return replace(search, near=search.nearest(vectors))

        try:
            search = await index.use(look)
        except BaseException:
            asked.cancel()
            raise
        assert search.vector is not None
        keep(search.vector)
        if search.cosines is not None:
            return search
        whole = make(await asked, search.vector)
        # Where turns have neighbours, more is compared.
        return whole if whole.read > search.read else replace(whole, near=search.near)

    async def _farther(self, search: _Search) -> _Search | None:
        """Where to look next, if the search found too few; None if there is no more."""
        if search.vector is None:
            return await self._farther_words(search)
        if search.done:
            return None
        if search.within is not None or not search.query.filters.need_rows:
            return search.wider()
        if search.limit == _candidates(search.query.limit):
            return await self._among_few(search)
        within = await self._matching(search, None)
        return search.changed(limit=_candidates(search.query.limit), within=within)

    async def _farther_words(self, search: _Search) -> _Search | None:
        wider = search.wider()
        # Without a common word all memories that hold any were visited.
        if wider.visits > MAX_KEYWORD_VISITS or not search.words.common:
            return None
        words = await self._words(
            wider.query, wider.min_seq, wider.index, wider.visits, wider.limit
        )
        return replace(wider, words=words)

    async def _among_few(self, search: _Search) -> _Search:
        """Among what the filters leave; where that is much, among the best of all."""
        few = await self._matching(search, MAX_SCOPE + 1)
        if len(few) <= MAX_SCOPE:
            return search.changed(within=few)
        return search.wider()

    async def _matching(self, search: _Search, limit: int | None) -> Seqs:
        query = search.query
        return await self._search.matching(
            query.agent_id, query.filters, limit, search.min_seq
        )

    async def _words(
        self, query: Query, min_seq: int, index: AgentIndex, visits: int, limit: int
    ) -> FoundWords:
        if query.mode == "semantic":
            return FoundWords()
        total = len(index.vectors)
        known: Mapping[str, float] = {}
        if query.mode == "hybrid":
            if total > MIN_STATISTICS and not self._common_words.knows(
                query.agent_id, total
            ):
                await self._learn_common(query.agent_id, total)
            known = self._common_words.of(query.agent_id, query.text, total)
        found = await self._search.words(query, total, known, visits, limit, min_seq)
        if query.mode == "hybrid" and found.common:
            self._common_words.learn(query.agent_id, total, found.common)
        return found

    async def _learn_common(self, agent_id: str, total: int) -> None:
        """Once, so that not every common word has to be met by a slow query first."""
        self._common_words.learn(agent_id, total, {})
        common = await self._search.common_words(agent_id, total, KEYWORD_VISITS)
        self._common_words.learn(agent_id, total, common)

    async def _look(self, search: _Search) -> _Found:
        query = search.query
        cosines: Mapping[int, float] = {}
        if search.cosines is not None:
            cosines = search.cosines
        elif search.vector is not None:
            cosines = await search.index.use(search.compared)
        candidates = best_candidates(
            query.mode,
            cosines,
            search.words.scores,
            search.sure,
            search.read,
            1.0 if search.words.has_sessions else search.words.common_weight,
        )
        if not candidates:
            return _Found([], 0)
        by_meaning, by_words = shares(query.mode)
        recallable = await self._search.recallable(
            query,
            {seq: by_meaning * cosines.get(seq, 0.0) for seq in candidates},
            search.words,
            by_words,
            query.limit + SPARE_MEMORIES,
            search.min_seq,
        )
        now = datetime.now(UTC)
        found = [
            finish(memory, query.mode, (cosines.get(memory.seq), words), now)
            for memory, words in recallable.memories
        ]
        found.sort(key=lambda recalled: (-recalled.score, -recalled.memory.seq))
        return _Found(found, recallable.standing)


def _candidates(limit: int) -> int:
    wanted = min(max(CANDIDATES_EACH * limit, MIN_CANDIDATES), MAX_CANDIDATES)
    return max(wanted, limit + SPARE_MEMORIES)


def _parts(recalled: Recalled) -> tuple[float | None, float | None]:
    return recalled.scores.semantic, recalled.scores.keyword
