"""This service's own errors.

Unavailable
└── DecisionLogFull   503
Exception
└── PolicyRefused     the process does not start
"""

from servicekit.errors import Unavailable

__all__ = ["DecisionLogFull", "PolicyRefused"]


class PolicyRefused(Exception):
    """The policy cannot be put in force."""


class DecisionLogFull(Unavailable):
    """Decisions cannot be recorded, so none are given; try again later."""

    kind = "decision-log-full"
