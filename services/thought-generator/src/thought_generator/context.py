"""Opens what lives long, wires it, closes it in reverse."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from prometheus_client import Gauge

from contracts.clients import HttpMemory, HttpSafety
from servicekit.background import Background
from servicekit.cache import Cache
from servicekit.database import Database
from servicekit.errors import AppError
from servicekit.gauges import Source, keep_measuring
from servicekit.idempotency import Idempotency
from servicekit.metrics import REPLICA_LAG_SECONDS
from thought_generator.domain.agents import Agents
from thought_generator.domain.asking import Asking, Engines
from thought_generator.domain.budget import Governor
from thought_generator.domain.cache import ResponseCache
from thought_generator.domain.coherence import Coherences
from thought_generator.domain.conversation import Conversation, Render
from thought_generator.domain.feed import Feed
from thought_generator.domain.gate import Gate
from thought_generator.domain.ladder import Ladder
from thought_generator.domain.live import LiveFeed
from thought_generator.domain.mind import Mind
from thought_generator.domain.outbox import Deliverer
from thought_generator.domain.queue import EngineQueue
from thought_generator.domain.streams import StreamScheduler
from thought_generator.domain.thinker import Thinker
from thought_generator.metrics import (
    AGENTS_ON_RUNG,
    BUDGET_USED_RATIO,
    CONTINUITY_RATIO,
    LIVENESS_RATIO,
    STREAMS_ENABLED,
)
from thought_generator.models.budget import Rung
from thought_generator.models.feed import Event
from thought_generator.models.thoughts import Thought
from thought_generator.providers.news import ValkeyNews
from thought_generator.providers.offline import OfflineEngine
from thought_generator.settings import Settings
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.budgets import BudgetStore
from thought_generator.stores.coherence import CoherenceStore
from thought_generator.stores.leases import LeaseStore
from thought_generator.stores.outbox import OutboxStore
from thought_generator.stores.thoughts import ThoughtStore
from thought_generator.stores.totals import TotalsStore

EXPIRE_RESERVATIONS_EVERY_S = 15.0
PRUNE_KEYS_EVERY_S = 600.0


def replica_name() -> str:
    """This process among all replicas, also after a restart in the same pod."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"


def make_engines(settings: Settings) -> Engines:
    """The engines in force; the Anthropic SDK is imported only for its own."""
    offline = OfflineEngine()
    if settings.engine == "offline":
        return Engines(offline, None, offline)
    from thought_generator.providers.anthropic import AnthropicEngine

    assert settings.anthropic_api_key is not None
    usual = AnthropicEngine(
        settings.thought_model,
        settings.anthropic_api_key.get_secret_value(),
        settings.anthropic_base_url,
        settings.thought_structured_output == "auto",
    )
    model = settings.thought_cheaper_model
    return Engines(usual, usual.of_model(model) if model else None, offline)


class Context:
    """Everything a running thought-generator holds."""

    def __init__(
        self,
        settings: Settings,
        render: Callable[[Thought], bytes],
        render_reply: Render,
    ) -> None:
        replica = replica_name()
        self._settings = settings
        self.database = Database(
            "thought-generator",
            "thought_generator",
            settings.database_url,
            settings.database_replica_url,
            settings.database_pool_size,
        )
        self._cache = Cache(settings.redis_url)
        self._safety = HttpSafety(settings.safety_url, settings.service_key_text)
        self._memory = HttpMemory(settings.memory_url, settings.service_key_text)
        self._answers = ResponseCache(self._cache)
        self._engines = make_engines(settings)
        self._budgets = BudgetStore(self.database)
        self.governor = Governor(
            self._budgets,
            settings.price_of,
            Ladder(has_cheaper=self._engines.cheaper is not None),
        )
        self._thoughts = ThoughtStore(self.database, replica)
        self._idempotency = Idempotency(self.database)
        gate = Gate(self._safety)
        agents = AgentStore(self.database)
        self.agents = Agents(agents, gate)
        self.coherences = Coherences(CoherenceStore(self.database))
        self._deliverer = Deliverer(OutboxStore(self.database), self._memory)
        self._news = ValkeyNews(settings.redis_url, replica)
        self.live = LiveFeed(Feed(self._events), self._thoughts, self._news)
        thinker = Thinker(
            gate,
            self._memory,
            Asking(
                self._engines,
                self.governor,
                self._answers,
                EngineQueue(),
            ),
            self.governor,
        )
        self.mind = Mind(
            thinker,
            self.governor,
            self._thoughts,
            agents,
            self._idempotency,
            self.live,
            self._deliverer,
            self._memory,
            render,
            settings.thought_max_tokens,
            self.coherences,
        )
        self.conversation = Conversation(
            self.mind,
            gate,
            thinker,
            agents,
            self._thoughts,
            self._memory,
            self._idempotency,
            render_reply,
            settings.thought_max_tokens,
        )
        self._scheduler = StreamScheduler(
            LeaseStore(self.database, replica, settings.lease),
            settings.lease,
            self.mind.begin,
            self.live,
        )
        self._background = Background()

    async def open(self) -> None:
        """Begins; `/readyz` says when the database is there."""
        self._background.start("begin", self._begin)

    async def _begin(self) -> None:
        """Connects, then starts the background work, all of it listed here."""
        await self.database.open()
        self._background.start("expire-reservations", self._expire_reservations)
        self._background.start("prune-idempotency-keys", self._prune_keys)
        self._background.start("deliver-thoughts", self._deliverer.run)
        self._background.start("share-answers", self._answers.share)
        self._background.start("send-news", self._news.send)
        self._background.start("hear-news", self.live.hear)
        self._background.start("poll-feed", self.live.poll)
        self._background.start("measure", self._measure)
        if self._settings.streams_enabled:
            self._background.start("think", self._scheduler.run)

    async def let_go(self) -> None:
        """Hands the streams over and ends the live feeds, before anything closes."""
        await self._background.stop("begin")
        await self._background.stop("think")
        # Without the database the lease runs out by itself.
        with suppress(AppError):
            await self._scheduler.stop()
        self.live.close()

    async def close(self) -> None:
        """Closes in reverse."""
        await self._background.close()
        await self._news.close()
        await self._engines.usual.close()
        await self._memory.close()
        await self._safety.close()
        await self._cache.close()
        await self.database.close()

    async def _events(self, agent_id: str, position: int, limit: int) -> list[Event]:
        return await self.mind.events(agent_id, position, limit)

    async def _expire_reservations(self) -> None:
        while True:
            await self._budgets.expire()
            await asyncio.sleep(EXPIRE_RESERVATIONS_EVERY_S)

    async def _prune_keys(self) -> None:
        while True:
            await self._idempotency.prune()
            await asyncio.sleep(PRUNE_KEYS_EVERY_S)

    async def _measure(self) -> None:
        totals = TotalsStore(self.database)
        sources: dict[Gauge, Source] = {
            REPLICA_LAG_SECONDS: totals.replica_lag_seconds,
            BUDGET_USED_RATIO: totals.budget_used_ratio,
            CONTINUITY_RATIO: self.coherences.lowest_continuity,
        }
        for rung in Rung:
            sources[AGENTS_ON_RUNG.labels(rung.value)] = partial(
                self.governor.agents_on, rung
            )
        if self._settings.streams_enabled:
            sources[STREAMS_ENABLED] = totals.streams_enabled
            sources[LIVENESS_RATIO] = self.coherences.lowest_liveness
        else:
            # By these settings none should think.
            STREAMS_ENABLED.set(0)
        await keep_measuring(sources)
