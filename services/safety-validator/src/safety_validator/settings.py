"""Settings of this service beside those that every service has."""

from importlib import resources
from pathlib import Path

from servicekit.settings import ServiceSettings

__all__ = ["Settings"]


def _shipped_policy() -> Path:
    return Path(str(resources.files("safety_validator") / "policy" / "default.yaml"))


class Settings(ServiceSettings):
    """`POLICY_FILE` names a policy of one's own instead of the shipped one."""

    policy_file: Path = _shipped_policy()
