"""Errors that callers see; status and code stand on the class.

AppError
├── InvalidRequest         422
├── Unauthorized           401
├── Forbidden              403
├── NotFound               404
├── BodyTooLate            408
├── Conflict               409
├── BodyTooLarge           413
├── Overloaded             429
└── Unavailable            503
    ├── DatabaseUnavailable
    └── DeadlineExceeded   504
"""

from typing import Any, ClassVar

from contracts.problem import URN_PREFIX, Problem

__all__ = [
    "AppError",
    "BodyTooLarge",
    "BodyTooLate",
    "Conflict",
    "DatabaseUnavailable",
    "DeadlineExceeded",
    "Forbidden",
    "InvalidRequest",
    "NotFound",
    "Overloaded",
    "Unauthorized",
    "Unavailable",
]


class AppError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal"
    retry_after_s: float | None = None

    def __init__(self, detail: str = "", **members: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.members = members

    @property
    def title(self) -> str:
        """The docstring of the class, one sentence."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    def problem(self, request_id: str | None) -> Problem:
        """The error as problem details."""
        return Problem(
            type=URN_PREFIX + self.kind,
            title=self.title,
            status=self.status,
            detail=self.detail,
            request_id=request_id,
            **self.members,
        )


class InvalidRequest(AppError):
    """The request is not valid."""

    status = 422
    kind = "invalid-request"


class Unauthorized(AppError):
    """No key, or a key that is not known."""

    status = 401
    kind = "unauthorized"


class Forbidden(AppError):
    """The key does not allow this."""

    status = 403
    kind = "forbidden"


class NotFound(AppError):
    """There is nothing here by that name."""

    status = 404
    kind = "not-found"


class BodyTooLate(AppError):
    """The body did not come in time."""

    status = 408
    kind = "body-too-late"


class Conflict(AppError):
    """This contradicts what is already there."""

    status = 409
    kind = "conflict"


class BodyTooLarge(AppError):
    """The body is larger than this call takes."""

    status = 413
    kind = "body-too-large"


class Overloaded(AppError):
    """Too many requests at once; try again later."""

    status = 429
    kind = "overloaded"
    retry_after_s = 1.0


class Unavailable(AppError):
    """Something this call needs is out; try again later."""

    status = 503
    kind = "unavailable"
    retry_after_s = 1.0


class DatabaseUnavailable(Unavailable):
    """PostgreSQL is out; try again later."""

    kind = "database-unavailable"


class DeadlineExceeded(Unavailable):
    """The caller's deadline passed before there was an answer."""

    status = 504
    kind = "deadline-exceeded"
