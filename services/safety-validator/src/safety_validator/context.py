"""What lives as long as the process: opened, wired and closed in one place."""

import hmac
import secrets

import structlog

from safety_validator.domain.audit import Audit
from safety_validator.domain.chain import Seals
from safety_validator.domain.classifier import Classifier
from safety_validator.domain.decision_log import DecisionLog
from safety_validator.domain.examiner import Layer
from safety_validator.domain.guard import Guard
from safety_validator.domain.guard_families import FAMILIES
from safety_validator.domain.in_force import PolicyFollower
from safety_validator.domain.retention import Retention
from safety_validator.domain.validator import Keys, Validator
from safety_validator.domain.verdict_cache import VerdictCache
from safety_validator.providers.guard import GuardServer
from safety_validator.settings import Settings
from safety_validator.stores.decisions import Decisions
from servicekit.background import Background
from servicekit.cache import Cache
from servicekit.database import Database
from servicekit.errors import Unavailable

__all__ = ["Context"]

# What the digests' key is derived for; another use of the same key gives another.
_DIGEST_PURPOSE = b"decision-digest-v1"
_CACHE_PURPOSE = b"verdict-cache-v1"

log = structlog.get_logger()


class Context:
    """The policy in force, the database and the log of decisions."""

    def __init__(self, settings: Settings) -> None:
        self._follower = PolicyFollower(settings.policy_file)
        self.policy = self._follower.in_force
        self.database = Database(
            "safety-validator",
            "safety_validator",
            settings.database_url,
            settings.database_replica_url,
            settings.database_pool_size,
        )
        self.decisions = Decisions(self.database)
        seals = Seals(settings.service_key_text)
        self.decision_log = DecisionLog(self.decisions, seals)
        self.audit = Audit(self.decisions, seals)
        self._retention = (
            Retention(self.decisions, seals, settings.audit_retention_days)
            if settings.audit_retention_days is not None
            else None
        )
        self._cache = Cache(settings.redis_url)
        self._verdicts = VerdictCache(
            self._cache, _derived(settings.service_key_text, _CACHE_PURPOSE)
        )
        self.classifier = Classifier(settings.classifier_dir, self.policy)
        self._guard_server = _guard_server(settings)
        self.validator = Validator(
            self.policy,
            self.decision_log,
            _keys(settings),
            self._layers(settings),
            self._verdicts,
        )
        self._background = Background()

    def open(self) -> None:
        """Begins to connect and to write; readiness says when that is done."""
        self._background.start("database", self.database.open)
        self._background.start("decisions", self.decision_log.write)
        self._background.start("policy", self._follower.follow)
        self._background.start("classifier", self.classifier.open)
        self._background.start("verdicts", self._verdicts.share)
        if self._retention is not None:
            self._background.start("retention", self._retention.keep)

    async def close(self) -> None:
        """Writes what still waits, then lets go of everything."""
        await self._background.close()
        try:
            await self.decision_log.flush()
        except (Unavailable, TimeoutError) as error:
            log.critical("decisions were lost", error=repr(error))
        self.classifier.close()
        self.validator.close()
        if self._guard_server is not None:
            await self._guard_server.close()
        await self._cache.close()
        await self.database.close()

    @property
    def guarded(self) -> bool:
        """Whether an external guard reads texts too."""
        return self._guard_server is not None

    def _layers(self, settings: Settings) -> list[Layer]:
        """What reads a text after the rules, in this order."""
        if self._guard_server is None:
            return [self.classifier]
        assert settings.guard_model is not None
        guard = Guard(
            FAMILIES[settings.guard_family],
            settings.guard_model,
            self._guard_server,
            settings.guard_timeout_ms / 1000,
            lambda: self.policy.current[0].external_guard,
        )
        return [self.classifier, guard]


def _guard_server(settings: Settings) -> GuardServer | None:
    if settings.guard_url is None:
        return None
    key = settings.guard_api_key
    return GuardServer(settings.guard_url, key.get_secret_value() if key else None)


def _keys(settings: Settings) -> Keys:
    """The log's key comes from the service key; without one it lasts for the process.

    So the log never lets a known text be looked up without the service key.
    """
    signing = settings.service_key_text
    digest = _derived(signing, _DIGEST_PURPOSE)
    return Keys(signing, digest or secrets.token_bytes(32))


def _derived(key: str | None, purpose: bytes) -> bytes | None:
    return None if key is None else hmac.digest(key.encode(), purpose, "sha256")
