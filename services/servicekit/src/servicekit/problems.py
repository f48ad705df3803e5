"""Errors turned into `application/problem+json`."""

import math
from typing import Any

import structlog
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts.call import request_id
from contracts.problem import PROBLEM_MEDIA_TYPE, Problem
from servicekit.errors import (
    AppError,
    BodyTooLarge,
    BodyTooLate,
    InvalidRequest,
    NotFound,
    Unavailable,
)

log = structlog.get_logger()

__all__ = [
    "ANSWERABLE",
    "PROBLEM_RESPONSES",
    "AnswerableError",
    "document_problems",
    "problem_response",
]

# Under these, OpenAI's clients look for what went wrong in a member `error`.
OPENAI_PATHS = "/v1/"
# More errors than this say nothing more to the caller.
MAX_ERRORS_SHOWN = 20

_DESCRIPTIONS = {
    400: "The request could not be read.",
    401: "No key, or a key that is not known.",
    403: "The key does not allow this.",
    404: "There is nothing here by that name.",
    408: "The body did not come in time.",
    409: "This contradicts what is already there.",
    413: "The body is larger than this call takes.",
    422: "The request is not valid, or safety blocked it.",
    429: "Over a rate limit, a budget or the queue.",
    503: "Something this call needs is out.",
    504: "The caller's deadline passed.",
}

# What any call may answer besides its own statuses, for the OpenAPI document.
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {
            PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for status, text in _DESCRIPTIONS.items()
}

# Our own errors, and those of the framework.
ANSWERABLE = (AppError, HTTPException, RequestValidationError)
AnswerableError = AppError | HTTPException | RequestValidationError


class MethodNotAllowed(AppError):
    """This path does not know that method."""

    status = 405
    kind = "method-not-allowed"


class Unreadable(AppError):
    """The request could not be read."""

    status = 400
    kind = "unreadable"


_BY_STATUS: dict[int, type[AppError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    408: BodyTooLate,
    413: BodyTooLarge,
    422: InvalidRequest,
    503: Unavailable,
}


def problem_response(error: AnswerableError, path: str) -> Response:
    """The error as a response, with `Retry-After` where waiting helps."""
    if isinstance(error, RequestValidationError):
        return _response(_invalid(error), path)
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code, Unreadable)
        response = _response(kind(str(error.detail)), path)
        response.headers.update(error.headers or {})
        return response
    return _response(error, path)


def _response(error: AppError, path: str) -> Response:
    if error.status > 500:
        # What the caller saw, beside the request id that the caller has.
        log.warning("refused", error=f"{error.kind}: {error}")
    problem = error.problem(request_id.get())
    if path.startswith(OPENAI_PATHS):
        problem = problem.model_copy(update={"error": _openai_error(problem)})
    body = problem.model_dump_json(exclude_none=True)
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body, error.status, headers, media_type=PROBLEM_MEDIA_TYPE)


def _openai_error(problem: Problem) -> dict[str, str]:
    return {
        "message": problem.detail or problem.title,
        "type": problem.type,
        "code": problem.kind,
    }


def _invalid(error: RequestValidationError) -> InvalidRequest:
    shown = [
        {"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]}
        for e in error.errors()[:MAX_ERRORS_SHOWN]
    ]
    first = shown[0] if shown else {"loc": [], "msg": "invalid"}
    detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return InvalidRequest(detail, errors=shown)


def document_problems(document: dict[str, Any]) -> None:
    """Adds the Problem schema that PROBLEM_RESPONSES refer to."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.setdefault("Problem", Problem.model_json_schema())
