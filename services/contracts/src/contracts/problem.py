"""Errors on the wire: RFC 9457 problem details."""

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["PROBLEM_MEDIA_TYPE", "URN_PREFIX", "Problem", "ServiceError"]

PROBLEM_MEDIA_TYPE = "application/problem+json"
URN_PREFIX = "urn:claude-agi:problem:"


class Problem(BaseModel):
    """What went wrong; `type` is a stable URN, further members say more."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    request_id: str | None = None

    @property
    def kind(self) -> str:
        """The last part of the URN, such as `blocked-by-safety`."""
        return self.type.removeprefix(URN_PREFIX)


class ServiceError(Exception):
    """Another service answered with a problem, or did not answer."""

    def __init__(self, service: str, problem: Problem, retry_after_s: float | None):
        super().__init__(f"{service}: {problem.status} {problem.title}")
        self.service = service
        self.problem = problem
        self.retry_after_s = retry_after_s

    def member(self, name: str) -> Any:
        """A further member of the problem, or None."""
        return (self.problem.model_extra or {}).get(name)
