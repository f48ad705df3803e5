"""The core of every policy, known by its digest."""

import hashlib
from importlib import resources

from safety_validator.errors import PolicyRefused

__all__ = ["CORE_SHA256", "check_core", "core_policy", "default_policy"]

_FOLDER = resources.files("safety_validator") / "policy"
# Who changes the core signs it off by `make sign-core`, and so shows it in a review.
CORE_SHA256 = "30fc4158f646a7ffabb0d70b8ed9d7c1188deb0f4daf371c6f09c293a8a68555"


def core_policy() -> bytes:
    """The signed-off core; raises PolicyRefused where the file holds another."""
    return check_core((_FOLDER / "core.yaml").read_bytes())


def check_core(raw: bytes) -> bytes:
    """The same where it is the core; raises PolicyRefused."""
    if hashlib.sha256(raw).hexdigest() != CORE_SHA256:
        raise PolicyRefused("the core is not the one that was signed off")
    return raw


def default_policy() -> bytes:
    """The shipped policy, which others may extend."""
    return (_FOLDER / "default.yaml").read_bytes()
