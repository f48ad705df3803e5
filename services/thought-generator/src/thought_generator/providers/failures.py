"""What a call without an answer means: whether it may pass, and what it cost."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import structlog
from aiohttp import ClientConnectorError, ConnectionTimeoutError
from anthropic import AnthropicError, APIConnectionError, APIStatusError

from thought_generator.errors import EngineEndUnknown, EngineUnavailable
from thought_generator.providers.breaker import MAX_RETRY_AFTER_S

# Beside those from 500 on.
RETRIED_STATUSES = frozenset({408, 409, 429})
# A gateway gave up; the model behind it may have answered, and may have its price.
UNKNOWN_STATUSES = frozenset({504, 524})
# A refusal stays one until somebody has seen to it.
REFUSED_RETRY_AFTER_S = 30.0
# Of what a server said, for the log.
MAX_SAID_CHARS = 300
# By these a server names the parameter that it does not know.
FORMAT_NAMES = ("output_config", "output_format", "json_schema", "structured output")
ADVICE = {
    400: "the server does not take the prompt or a parameter",
    401: "the key is not known: see to ANTHROPIC_API_KEY",
    402: "the account cannot pay: see to its billing",
    403: "the key may not use the model",
    404: "there is no such model or address: see THOUGHT_MODEL, ANTHROPIC_BASE_URL",
    413: "the prompt is too large: shorten the persona, the stream's prompt or the "
    "context",
}
# Errors that a server reports within a stream, as the statuses they have outside it.
# https://platform.claude.com/docs/en/api/errors
STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}

log = structlog.get_logger()


@dataclass(eq=False)
class Failed(Exception):
    """One call came to nothing."""

    error: EngineUnavailable
    passes: bool
    """Whether it surely cost nothing, and the same call may succeed soon."""
    outage: bool
    """Whether it speaks against the server, not against us."""
    asked_s: float | None = None
    """The pause that the server asked for."""
    rejects_format: bool = False
    """Whether the server says that it does not know structured output."""


def failure_of(error: AnthropicError) -> Failed:
    """What an error of the SDK means."""
    if isinstance(error, APIStatusError):
        return _refused(error)
    named = type(error).__name__
    if not isinstance(error, APIConnectionError):
        return Failed(EngineEndUnknown(named), passes=False, outage=True)
    if not _never_sent(error):
        lost = EngineEndUnknown(f"{named}: the connection was lost")
        return Failed(lost, passes=False, outage=True)
    asked = error.request.url.copy_with(path="/", query=None)
    away = EngineUnavailable(f"{named}: no connection to {asked}")
    return Failed(away, passes=True, outage=True)


def failure_within(kind: str) -> Failed:
    """What an error means that a server reports instead of the first event."""
    return failure_by(STATUS_OF.get(kind, 500))


def failure_by(status: int, asked_s: float | None = None, said: str = "") -> Failed:
    """What a status means; `said` goes to the log only."""
    outage = status in RETRIED_STATUSES or status >= 500
    unknown = status in UNKNOWN_STATUSES
    advice = "it is out" if outage else ADVICE.get(status, ADVICE[400])
    kind = EngineEndUnknown if unknown else EngineUnavailable
    error = kind(f"the model's server answered {status}: {advice}")
    if not outage:
        error.refused = True
        error.retry_after_s = REFUSED_RETRY_AFTER_S
    elif asked_s is not None:
        error.retry_after_s = min(max(asked_s, 1.0), MAX_RETRY_AFTER_S)
    rejects_format = status in (400, 422) and any(name in said for name in FORMAT_NAMES)
    log.warning("engine refused", status=status, said=said[:MAX_SAID_CHARS])
    return Failed(error, outage and not unknown, outage, asked_s, rejects_format)


def _refused(error: APIStatusError) -> Failed:
    asked_s = retry_after_s(error.response.headers.get("retry-after", ""))
    return failure_by(error.status_code, asked_s, error.message)


def retry_after_s(given: str) -> float | None:
    """Seconds from a Retry-After in seconds or as a date; None for anything else."""
    try:
        wait_s = float(given)
    except ValueError:
        try:
            until = parsedate_to_datetime(given)
        except ValueError:
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        wait_s = (until - datetime.now(UTC)).total_seconds()
    return None if math.isnan(wait_s) else max(0.0, wait_s)


def _never_sent(error: APIConnectionError) -> bool:
    """Whatever else cuts a call may have cut it after the model had answered."""
    # httpx2 calls a connection that was lost one that was never made.
    beneath = error.__cause__.__cause__ if error.__cause__ else None
    return isinstance(beneath, ClientConnectorError | ConnectionTimeoutError)
