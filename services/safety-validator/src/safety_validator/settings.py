"""Settings of this service beside those that every service has."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from servicekit.settings import ServiceSettings

__all__ = ["Settings"]


def _shipped_policy() -> Path:
    return Path(str(resources.files("safety_validator") / "policy" / "default.yaml"))


def _shipped_classifier() -> Path:
    return Path(str(resources.files("safety_validator") / "model"))


class Settings(ServiceSettings):
    """`POLICY_FILE` names a policy of one's own instead of the shipped one."""

    policy_file: Path = _shipped_policy()
    # The folder of the classifier's model, which a policy with thresholds for it needs.
    classifier_dir: Path = _shipped_classifier()
    redis_url: SecretStr | None = None
    # Records of decisions are removed after so many days. None: never.
    audit_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    # An external guard: the server's address, with or without `/v1`. None: no guard.
    guard_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    guard_model: str | None = None
    guard_family: Literal["llama_guard", "granite_guardian", "prompt_guard"] = (
        "llama_guard"
    )
    guard_api_key: SecretStr | None = None
    # The other services wait two seconds for a verdict.
    guard_timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = 1_000

    @model_validator(mode="after")
    def _guard_has_a_model(self) -> "Settings":
        if self.guard_url is not None and self.guard_model is None:
            raise ValueError("GUARD_URL needs GUARD_MODEL")
        return self
