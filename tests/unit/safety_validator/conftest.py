"""The shipped policy, opened once."""

from pathlib import Path

import pytest

from safety_validator.domain import decision_log
from safety_validator.domain.judge import Judge
from safety_validator.domain.policy import open_policy
from safety_validator.models import RuleSet
from safety_validator.settings import Settings


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that waits for a busy machine."""
    monkeypatch.setattr(decision_log, "FLUSH_TIMEOUT_S", 60.0)
    monkeypatch.setattr(decision_log, "MAX_AGE_S", 60.0)


@pytest.fixture(scope="session")
def policy_file() -> Path:
    settings = Settings.model_validate({"database_url": "postgresql://"})
    return settings.policy_file


@pytest.fixture(scope="session")
def opened(policy_file: Path) -> tuple[RuleSet, Judge]:
    return open_policy(policy_file.read_bytes())


@pytest.fixture(scope="session")
def policy(opened: tuple[RuleSet, Judge]) -> RuleSet:
    return opened[0]


@pytest.fixture(scope="session")
def judge(opened: tuple[RuleSet, Judge]) -> Judge:
    return opened[1]
