"""Heads of requests and responses as they are passed on."""

import json
from http import HTTPStatus
from uuid import uuid4

Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: these speak of one connection, not of the message.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# A service that died is back within this time.
RETRY_AFTER_S = 1
CHUNKED = b"transfer-encoding: chunked\r\n"
CLOSE = b"connection: close\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def find_header(headers: Headers, name: bytes) -> bytes | None:
    """The value of the first header of that name, in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


def is_chunked(headers: Headers) -> bool:
    """Whether the body comes in chunks."""
    return b"chunked" in (find_header(headers, b"transfer-encoding") or b"").lower()


def frame_chunk(body: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def pass_headers(headers: Headers, dropped: frozenset[bytes] = frozenset()) -> bytes:
    """What goes beyond this hop, as header lines."""
    named = find_header(headers, b"connection") or b""
    skip = HOP_BY_HOP | dropped
    if named:
        skip |= {name.strip().lower() for name in named.split(b",")}
    return b"".join(
        b"%b: %b\r\n" % header for header in headers if header[0].lower() not in skip
    )


FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})


def request_head(
    method: bytes, target: bytes, headers: Headers, client_address: bytes
) -> bytes:
    """The request's head as the service sees it."""
    came_by = find_header(headers, b"x-forwarded-for")
    path = came_by + b", " + client_address if came_by else client_address
    return (
        b"%b %b HTTP/1.1\r\n%bx-forwarded-for: %b\r\nx-forwarded-proto: http\r\n%b\r\n"
        % (
            method,
            target,
            pass_headers(headers, FORWARDED),
            path,
            CHUNKED if is_chunked(headers) else b"",
        )
    )


def response_head(status: int, reason: bytes, headers: Headers, extra: bytes) -> bytes:
    """The response's head as the client sees it."""
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (
        status,
        reason,
        pass_headers(headers),
        extra,
    )


def problem(
    status: int, kind: str, detail: str, request_id: bytes | None, *, close: bool
) -> tuple[bytes, bytes]:
    """Head and body of an error of the front itself (RFC 9457)."""
    request_id = request_id or uuid4().hex.encode()
    phrase = HTTPStatus(status).phrase
    body = json.dumps(
        {
            "type": f"urn:claude-agi:problem:{kind}",
            "title": phrase,
            "status": status,
            "detail": detail,
            "request_id": request_id.decode("latin-1"),
        }
    ).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    extra = CLOSE if close else b""
    return response_head(status, phrase.encode(), headers, extra), body
