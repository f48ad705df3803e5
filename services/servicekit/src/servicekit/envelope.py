"""The outermost layer of every request: ids, keys, deadline, errors, time."""

import asyncio
import random
import re
import time
from contextlib import AbstractAsyncContextManager, nullcontext

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.call import (
    DEADLINE_HEADER,
    REQUEST_ID_HEADER,
    TRACEPARENT_HEADER,
    deadline_s,
    request_id,
    traceparent,
)
from contracts.ids import new_id
from servicekit.auth import ANYONE, Authenticator, Caller
from servicekit.errors import AppError, DeadlineExceeded, Unavailable
from servicekit.metrics import HTTP_SECONDS
from servicekit.problems import ANSWERABLE, AnswerableError, problem_response
from servicekit.tracing import current_traceparent

__all__ = ["Envelope"]

# Requests under way in one process, streams included; a further one gets 503, but
# for probes: a busy process is alive.
MAX_IN_FLIGHT = 4096
# A connection kept for ever brings its calls to the same pod for ever, while new pods
# stay idle: one answer in so many asks its caller to connect anew.
CLOSE_ONE_IN = 1000
# Paths without a key: probes and Prometheus come from within the cluster.
OPEN_PATHS = frozenset(
    {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/favicon.ico", "/"}
)
ID_FORM = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
# Of W3C's form at least the alphabet: it goes into every line of the log.
TRACE_FORM = re.compile(rb"[0-9a-z-]{1,128}")
# What curl sends when nobody names a type; every body here is JSON or NDJSON.
UNNAMED_TYPES = (b"", b"application/x-www-form-urlencoded")

log = structlog.get_logger()


class Envelope:
    """Wraps the application; answers what goes wrong inside as a problem."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        headers = dict(scope["headers"])
        _open_call(headers)
        exchange = _Exchange(send)
        self._in_flight += 1
        try:
            await self._answer(scope, headers, receive, exchange)
        finally:
            self._in_flight -= 1
            _account(scope, exchange.status, time.perf_counter() - started_s)

    async def _answer(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        exchange: "_Exchange",
    ) -> None:
        try:
            scope["caller"] = self._admit(scope["path"], headers)
            _name_json(scope, headers)
            async with _deadline():
                await self._app(scope, receive, exchange.send)
        except ANSWERABLE as error:
            await exchange.fail(error, scope, receive)
        except TimeoutError:
            await exchange.fail(DeadlineExceeded(), scope, receive)
        except ClientDisconnect:
            # Nobody is left to answer; it is counted with status 0.
            return
        except Exception as error:
            log.exception("request failed", path=scope["path"], error=repr(error))
            await exchange.fail(AppError("see the log"), scope, receive)

    def _admit(self, path: str, headers: dict[bytes, bytes]) -> Caller:
        if path in OPEN_PATHS:
            return ANYONE
        if self._in_flight > MAX_IN_FLIGHT:
            raise Unavailable("this process is at its limit of requests")
        return self._authenticator.identify(headers)


class _Exchange:
    """The answer on its way: marked with the request id, its status remembered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._id = (request_id.get() or "").encode()
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message.setdefault("headers", [])
            message["headers"] = [
                *message["headers"],
                (REQUEST_ID_HEADER.lower().encode(), self._id),
                *self._farewell(),
            ]
        await self._send(message)

    def _farewell(self) -> list[tuple[bytes, bytes]]:
        # A refusal may come before the body was read, and be lost with the connection.
        if self.status < 400 and random.random() * CLOSE_ONE_IN < 1:
            return [(b"connection", b"close")]
        return []

    async def fail(
        self, error: AnswerableError, scope: Scope, receive: Receive
    ) -> None:
        if self.status:
            # The answer has begun: all that is left is to break it off.
            raise error
        await problem_response(error, scope["path"])(scope, receive, self.send)


def _open_call(headers: dict[bytes, bytes]) -> None:
    given = headers.get(REQUEST_ID_HEADER.lower().encode(), b"")
    own = given.decode() if ID_FORM.fullmatch(given) else str(new_id())
    request_id.set(own)
    trace = headers.get(TRACEPARENT_HEADER.encode(), b"")
    given_trace = trace.decode() if TRACE_FORM.fullmatch(trace) else None
    traceparent.set(current_traceparent() or given_trace)
    timeout_ms = headers.get(DEADLINE_HEADER.lower().encode(), b"")
    in_time = timeout_ms.isdigit() and len(timeout_ms) < 10
    deadline_s.set(time.monotonic() + int(timeout_ms) / 1000 if in_time else None)


def _deadline() -> AbstractAsyncContextManager[object]:
    deadline = deadline_s.get()
    if deadline is None:
        return nullcontext()
    return asyncio.timeout(max(0.0, deadline - time.monotonic()))


def _name_json(scope: Scope, headers: dict[bytes, bytes]) -> None:
    if headers.get(b"content-type", b"") in UNNAMED_TYPES:
        scope["headers"] = [
            *((k, v) for k, v in scope["headers"] if k != b"content-type"),
            (b"content-type", b"application/json"),
        ]


def _account(scope: Scope, status: int, took_s: float) -> None:
    method, route = scope["method"], _template(scope)
    HTTP_SECONDS.labels(method, route, status).observe(took_s)
    if scope["path"] not in OPEN_PATHS:
        took_ms = round(took_s * 1000, 1)
        log.info("request", method=method, route=route, status=status, took_ms=took_ms)


def _template(scope: Scope) -> str:
    return getattr(scope.get("route"), "path_format", None) or "unmatched"
