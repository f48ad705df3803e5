"""What lives as long as the process: opened, wired and closed in one place."""

import hmac
import secrets

import structlog

from safety_validator.domain.decision_log import DecisionLog
from safety_validator.domain.judge import Judge
from safety_validator.domain.policy import open_policy
from safety_validator.domain.validator import Keys, Validator
from safety_validator.errors import PolicyRefused
from safety_validator.models import RuleSet
from safety_validator.settings import Settings
from safety_validator.stores.decisions import Decisions
from servicekit.background import Background
from servicekit.database import Database
from servicekit.errors import Unavailable

__all__ = ["Context"]

# What the digests' key is derived for; another use of the same key gives another.
_DIGEST_PURPOSE = b"decision-digest-v1"

log = structlog.get_logger()


class Context:
    """The policy in force, the database and the log of decisions."""

    def __init__(self, settings: Settings) -> None:
        self.policy, judge = _read_policy(settings)
        self.database = Database(
            "safety-validator",
            "safety_validator",
            settings.database_url,
            settings.database_replica_url,
            settings.database_pool_size,
        )
        self.decision_log = DecisionLog(Decisions(self.database))
        self.validator = Validator(
            judge, self.policy.version, self.decision_log, _keys(settings)
        )
        self._background = Background()

    def open(self) -> None:
        """Begins to connect and to write; readiness says when that is done."""
        self._background.start("database", self.database.open)
        self._background.start("decisions", self.decision_log.write)
        log.info("policy in force", version=self.policy.version)

    async def close(self) -> None:
        """Writes what still waits, then lets go of everything."""
        await self._background.close()
        try:
            await self.decision_log.flush()
        except (Unavailable, TimeoutError) as error:
            log.critical("decisions were lost", error=repr(error))
        self.validator.close()
        await self.database.close()


def _read_policy(settings: Settings) -> tuple[RuleSet, Judge]:
    try:
        raw = settings.policy_file.read_bytes()
    except OSError as error:
        raise PolicyRefused(f"cannot be read: {error}") from error
    return open_policy(raw)


def _keys(settings: Settings) -> Keys:
    """The log's key comes from the service key; without one it lasts for the process.

    So the log never lets a known text be looked up without the service key.
    """
    signing = settings.service_key_text
    if signing is None:
        return Keys(None, secrets.token_bytes(32))
    return Keys(signing, hmac.digest(signing.encode(), _DIGEST_PURPOSE, "sha256"))
