"""What recall asks of PostgreSQL: words, conditions, and the memories found."""

from collections.abc import Mapping

from memory_service.models.recall import Filters, FoundWords, Query, Recallable
from memory_service.models.vectors import Seqs
from memory_service.stores.reads import MemoryReads
from memory_service.stores.rows import filter_arguments, read_memory, unpack_seqs

# Of a long query the words that say most; each costs a look into the index.
MAX_KEYWORD_TERMS = 16
# Among fewer memories than these, how rare a word is says little.
MIN_KEYWORD_TOTAL = 200


class MemorySearch:
    """Every answer holds the agent's changes up to `min_seq`, or is SeqUnknown."""

    def __init__(self, reads: MemoryReads) -> None:
        self._reads = reads

    async def words(
        self,
        query: Query,
        total: int,
        common: Mapping[str, float],
        visits: int,
        limit: int,
        min_seq: int,
    ) -> FoundWords:
        """Memories that share rare words with the query, of `total` in all.

        `visits` bounds the memories looked at, over all words together.
        """
        rows = await self._reads.read(
            "keyword",
            query.agent_id,
            min_seq,
            query.text,
            float(max(total, MIN_KEYWORD_TOTAL)),
            visits,
            limit,
            MAX_KEYWORD_TERMS,
            list(common),
            list(common.values()),
            query.mode == "keyword",
            *filter_arguments(query.filters),
            query.include_history,
        )
        if not rows:
            return FoundWords()
        row = rows[0]
        return FoundWords(
            scores=dict(zip(row["seqs"], row["scores"], strict=True)),
            queries=row["queries"],
            weights=row["weights"],
            common_weight=row["common_weight"],
            common=dict(zip(row["common"], row["shares"], strict=True)),
            has_sessions=row["has_sessions"],
        )

    async def common_words(
        self, agent_id: str, total: int, more_than: int
    ) -> dict[str, float]:
        """The words that more than so many memories hold, with the shares that do.

        By the statistics of the tables: they may be missing, or some time old.
        """
        return await self._reads.common_words(agent_id, total, more_than)

    async def recallable(
        self,
        query: Query,
        candidates: Mapping[int, float],
        words: FoundWords,
        words_share: float,
        limit: int,
        min_seq: int,
    ) -> Recallable:
        """The best of the candidates, each given with its score but for the words."""
        context = (words.has_sessions,) if words.has_sessions else ()
        rows = await self._reads.read(
            "recalled" if context else "recalled_alone",
            query.agent_id,
            min_seq,
            list(candidates),
            list(candidates.values()),
            words.queries,
            words.weights,
            words_share,
            limit,
            *context,
            *filter_arguments(query.filters),
            query.include_history,
            query.filters.may_find_sources,
        )
        return Recallable(
            [(read_memory(row), row["words"]) for row in rows if row["id"] is not None],
            standing=rows[0]["standing"] if rows else 0,
        )

    async def matching(
        self, agent_id: str, filters: Filters, limit: int | None, min_seq: int
    ) -> Seqs:
        """The numbers of memories that meet the filters, at most `limit`."""
        rows = await self._reads.read(
            "matching", agent_id, min_seq, *filter_arguments(filters), limit
        )
        return unpack_seqs(rows[0]["seqs"] if rows else None)
