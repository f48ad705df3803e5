"""What the layers found in a text, found again: in this process, then in Valkey.

Only findings that a layer was read for are kept: the rules alone are faster than
Valkey. Nothing is invalidated, for a key names all that the findings depend on.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from contracts.safety import CategoryName, VerdictName
from safety_validator.metrics import CACHE
from safety_validator.models import Finding

__all__ = ["VerdictCache"]

# What this process holds.
MAX_PROCESS_BYTES = 4 * 1024 * 1024
# An entry without findings, and each of its findings, about so much.
ENTRY_BYTES = 320
FINDING_BYTES = 240
# More of them are rare, and cost more to keep than they save.
MAX_FINDINGS = 100
# Bounds what lies in Valkey; no entry grows wrong with time.
TTL_S = 3600
# On their way to Valkey; more than these, the oldest is not told.
MAX_UNSHARED = 256
# The number is of the form of the values.
SHARED_PREFIX = "claude-agi:verdict:1:"
_MAC_BYTES = 32

Findings = tuple[Finding, ...]


class SharedCache(Protocol):
    """A cache that other replicas see too, and that may be gone."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keeps a value for a while."""
        ...


class VerdictCache:
    """Both levels; what stands in Valkey is believed only with a MAC of `mac_key`.

    Without a key, which replicas share, there is only the process.
    """

    def __init__(self, shared: SharedCache, mac_key: bytes | None) -> None:
        self._shared = shared
        self._mac_key = mac_key
        self._entries: OrderedDict[str, Findings] = OrderedDict()
        self._bytes = 0
        self._unshared: deque[tuple[str, Findings]] = deque(maxlen=MAX_UNSHARED)
        self._arrived = asyncio.Event()

    def held(self, key: str) -> Findings | None:
        """The findings, where this process has them."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
            CACHE.labels("process").inc()
        return found

    async def fetch(self, key: str) -> Findings | None:
        """The findings, where another process has told them."""
        found = await self._told(key)
        if found is None:
            CACHE.labels("miss").inc()
            return None
        CACHE.labels("shared").inc()
        self._keep(key, found)
        return found

    def put(self, key: str, findings: Sequence[Finding]) -> None:
        """Keeps findings, here at once, for other processes soon."""
        if len(findings) > MAX_FINDINGS:
            return
        found = tuple(findings)
        self._keep(key, found)
        if self._mac_key is not None:
            self._unshared.append((key, found))
            self._arrived.set()

    async def share(self) -> None:
        """Tells Valkey until cancelled, so that no verdict waits for it."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._unshared:
                key, found = self._unshared.popleft()
                await self._shared.put(
                    SHARED_PREFIX + key, self._pack(key, found), TTL_S
                )

    async def _told(self, key: str) -> Findings | None:
        if self._mac_key is None:
            return None
        packed = await self._shared.get(SHARED_PREFIX + key)
        return None if packed is None else self._unpack(key, packed)

    def _keep(self, key: str, found: Findings) -> None:
        self._bytes -= _size(self._entries.pop(key, None))
        self._entries[key] = found
        self._bytes += _size(found)
        while self._bytes > MAX_PROCESS_BYTES:
            self._bytes -= _size(self._entries.popitem(last=False)[1])

    def _pack(self, key: str, found: Findings) -> bytes:
        raw = orjson.dumps([tuple(finding) for finding in found])
        return self._mac(key, raw) + raw

    def _unpack(self, key: str, packed: bytes) -> Findings | None:
        mac, raw = packed[:_MAC_BYTES], packed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(key, raw)):
            return None
        return tuple(map(_finding, orjson.loads(raw)))

    def _mac(self, key: str, raw: bytes) -> bytes:
        assert self._mac_key is not None
        # The key is part of it: a value moved to another text is none of ours.
        return hmac.digest(self._mac_key, key.encode() + raw, hashlib.sha256)


def _finding(fields: list[Any]) -> Finding:
    category, verdict, score, layer, rule, span, placeholder = fields
    return Finding(
        CategoryName(category),
        VerdictName(verdict),
        score,
        layer,
        rule,
        None if span is None else (span[0], span[1]),
        placeholder,
    )


def _size(found: Findings | None) -> int:
    return 0 if found is None else ENTRY_BYTES + FINDING_BYTES * len(found)
