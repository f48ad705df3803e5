"""This service's own errors.

Unavailable
├── ClassifierUnavailable   503
├── DecisionLogFull         503
└── OutOfMemory             503
Exception
├── PolicyRefused     the process does not start
├── ModelRefused      the classifier stays away
└── GuardAbsent       the policy says what that means for the text
"""

from servicekit.errors import Unavailable

__all__ = [
    "ClassifierUnavailable",
    "DecisionLogFull",
    "GuardAbsent",
    "ModelRefused",
    "OutOfMemory",
    "PolicyRefused",
]


class PolicyRefused(Exception):
    """The policy cannot be put in force."""


class ModelRefused(Exception):
    """The classifier's model cannot be used."""


class ClassifierUnavailable(Unavailable):
    """The classifier cannot read this text; try again later."""

    kind = "classifier-unavailable"


class DecisionLogFull(Unavailable):
    """Decisions cannot be recorded, so none are given; try again later."""

    kind = "decision-log-full"


class OutOfMemory(Unavailable):
    """There is no memory left to judge this text in; try again later."""

    kind = "out-of-memory"


class GuardAbsent(Exception):
    """The external guard did not say anything that counts.

    `reason` is one of a few words, for the metrics.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
