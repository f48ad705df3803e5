"""Who calls, and what they may do."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, Request

from servicekit.errors import Forbidden, Unauthorized
from servicekit.settings import LOOPBACK_HOSTS, ApiKey

__all__ = ["ANYONE", "Authenticator", "Caller", "caller_with", "document_keys"]

ALL_SCOPES = frozenset({"read", "write", "admin"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A key's name in logs, its scopes and its agents."""

    name: str
    scopes: frozenset[str]
    agents: frozenset[str]
    internal: bool = False

    def check_scope(self, scope: str) -> None:
        """Raises Forbidden unless the caller has the scope; `admin` has all."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Forbidden(f"this key lacks the scope {scope!r}")

    def may_reach(self, agent_id: str) -> bool:
        """Whether the caller may touch that agent."""
        return "*" in self.agents or agent_id in self.agents

    def check_agent(self, agent_id: str) -> None:
        """Raises Forbidden unless the caller may touch that agent."""
        if not self.may_reach(agent_id):
            raise Forbidden(f"this key does not reach the agent {agent_id!r}")


ANYONE = Caller("loopback", ALL_SCOPES, frozenset({"*"}))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class Authenticator:
    """Turns the Authorization header into a Caller.

    Keys are held as digests, so that looking one up takes the same time for all.
    Without any key configured everyone on the loopback is trusted, but not a web
    page that a browser on this machine happens to show.
    """

    def __init__(self, keys: list[ApiKey], service_key: str | None) -> None:
        self._callers = {
            _digest(key.key.get_secret_value().encode()): Caller(
                f"key-{number}", frozenset(key.scopes), frozenset(key.agents)
            )
            for number, key in enumerate(keys, 1)
        }
        self._open = not keys
        if service_key is not None:
            self._callers[_digest(service_key.encode())] = Caller(
                "service", ALL_SCOPES, frozenset({"*"}), internal=True
            )

    def identify(self, headers: dict[bytes, bytes]) -> Caller:
        """The caller; raises Unauthorized or Forbidden."""
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            caller = self._callers.get(_digest(key.strip()))
            if caller is not None:
                return caller
        if not self._open:
            raise Unauthorized("send a known key as 'Authorization: Bearer KEY'")
        _refuse_foreign_pages(headers)
        return ANYONE


def _refuse_foreign_pages(headers: dict[bytes, bytes]) -> None:
    host = _hostname(b"//" + headers.get(b"host", b""))
    origin = headers.get(b"origin")
    if host not in LOOPBACK_HOSTS:
        raise Forbidden("without API keys only loopback host names are served")
    if origin is not None and _hostname(origin) not in LOOPBACK_HOSTS:
        raise Forbidden("without API keys pages of other origins are refused")


def _hostname(url: bytes) -> str | None:
    try:
        return urlsplit(url.decode("latin-1")).hostname
    except ValueError:
        return None


def caller_with(scope: str) -> Callable[..., Any]:
    """A dependency: the Caller, who has the scope."""

    async def dependency(request: Request) -> Caller:
        caller: Caller = request.scope["caller"]
        caller.check_scope(scope)
        return caller

    return Depends(dependency)  # type: ignore[no-any-return]


def document_keys(document: dict[str, Any]) -> None:
    """Says that every call takes a key; the envelope is who looks at it."""
    scheme = {
        "type": "http",
        "description": "An API key, where keys are on.",
        "scheme": "bearer",
    }
    document["components"]["securitySchemes"] = {"HTTPBearer": scheme}
    for path in document["paths"].values():
        for operation in path.values():
            operation["security"] = [{"HTTPBearer": []}]
