"""`memory-service import`: a file of memories on its way to a service."""

import argparse
import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid5

import aiohttp
import orjson

DESCRIPTION = """\
Imports memories from a file, one JSON object a line, as an export writes them.

Lines that could not be stored are told on standard output, as JSON, with their numbers;
progress and totals on standard error. What was stored stays stored: the same command
again skips it. A line without an id gets one made of the file's name, the line's number
and its text, so that this holds for it too.
"""
ENDINGS = """\
exit codes:
  0  every line is stored, now or before
  1  some lines could not be stored
  2  the command line was wrong
  3  it broke off; the last line says after which line, and how to go on
"""
DEFAULT_URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "MEMORY_API_KEY"
# What names the ids that lines are given; any constant would do.
ID_SPACE = UUID("7c1f1c54-2b8e-5c7e-9d0b-6f3a4f1f6a11")
CHUNK_BYTES = 256 * 1024
# Waits before the tries that follow one in which nothing more was stored.
RETRY_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
CONNECT_TIMEOUT_S = 5.0
# Nothing is heard for so long only of a service that hangs.
SILENCE_TIMEOUT_S = 120.0
# On a terminal one line is written again and again; in a log each is a line of its own.
PROGRESS_S = 0.5
LOGGED_PROGRESS_S = 10.0
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
NETWORK_ERRORS = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Refused(Exception):
    """The service will not take it, however often it is tried."""


class BrokenOff(Exception):
    """The answer ended before its last line."""


@dataclass(slots=True)
class Order:
    """What is sent where."""

    file: Path
    url: str
    key: str | None
    agent_id: str
    safety: str


@dataclass(slots=True)
class Account:
    """What is known to be settled: all up to `line`."""

    size_bytes: int
    line: int = 0
    offset: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: {"imported": 0, "skipped": 0, "failed": 0}
    )
    begun_s: float = field(default_factory=time.monotonic)
    told_s: float = 0.0

    def describe(self) -> str:
        """For a person who waits."""
        seconds = max(time.monotonic() - self.begun_s, 1e-3)
        parts = [f"{self.line:,} lines", f"{self.line / seconds:,.0f}/s"]
        parts += [f"{count:,} {name}" for name, count in self.counts.items()]
        if 0 < self.offset < self.size_bytes:
            left_s = seconds * (self.size_bytes / self.offset - 1)
            share = self.offset / self.size_bytes
            parts[0] += f" ({share:.0%})"
            parts.append(f"{left_s:,.0f} s left")
        return ", ".join(parts)


def main(arguments: Sequence[str]) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        "memory-service import",
        description=DESCRIPTION,
        epilog=ENDINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--url", default=DEFAULT_URL, help="default: %(default)s")
    parser.add_argument(
        "--key",
        default=os.environ.get(KEY_VARIABLE),
        help=f"an API key, where keys are on; default: ${KEY_VARIABLE}",
    )
    parser.add_argument(
        "--agent", default="default", help="whose memories, where a line does not say"
    )
    parser.add_argument(
        "--safety",
        choices=("full", "patterns"),
        default="full",
        help="patterns is faster and needs the scope admin; default: %(default)s",
    )
    given = parser.parse_args(arguments)
    order = Order(given.file, given.url, given.key, given.agent, given.safety)
    try:
        account = Account(order.file.stat().st_size)
        with order.file.open("rb") as file:
            return _run(order, file, account)
    except OSError as error:
        parser.error(f"{order.file}: {error.strerror or error}")


def _run(order: Order, file: BinaryIO, account: Account) -> int:
    try:
        asyncio.run(_send_all(order, file, account))
    except KeyboardInterrupt:
        reason = "interrupted"
    except (Refused, BrokenOff) as error:
        reason = str(error)
    except NETWORK_ERRORS as error:
        reason = f"{order.url}: {error or type(error).__name__}"
    else:
        _say(f"done: {account.describe()}")
        return 1 if account.counts["failed"] else 0
    _say(account.describe())
    _say(f"memory-service import: {reason}")
    _say(f"broke off after line {account.line}; the same command goes on from there")
    return 3


async def _send_all(order: Order, file: BinaryIO, account: Account) -> None:
    """Tries until all is sent; each try begins after what is settled."""
    tries = iter(RETRY_PAUSES_S)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S
    )
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            settled = account.line
            try:
                return await _send(session, order, file, account)
            except (*NETWORK_ERRORS, BrokenOff) as error:
                if account.line > settled:
                    tries = iter(RETRY_PAUSES_S)
                if (pause_s := next(tries, None)) is None:
                    raise
                _say(f"{error or type(error).__name__}; trying again in {pause_s:g} s")
            await asyncio.sleep(pause_s)


async def _send(
    session: aiohttp.ClientSession, order: Order, file: BinaryIO, account: Account
) -> None:
    """One request: all lines that are not settled yet."""
    before, counts = account.line, dict(account.counts)
    sent = _Sent(file, order.file.name, before, account.offset)
    headers = {"Content-Type": "application/x-ndjson"}
    if order.key:
        headers["Authorization"] = f"Bearer {order.key}"
    async with session.post(
        f"{order.url.rstrip('/')}/api/memory/import",
        params={"agent_id": order.agent_id, "safety": order.safety},
        headers=headers,
        data=sent.chunks(),
    ) as answer:
        if answer.status != 200:
            raise _refusal(answer.status, await answer.text())
        async for raw in answer.content:
            told = orjson.loads(raw)
            if (problem := told.get("problem")) is not None:
                line = {"line": before + told["line"], "problem": problem}
                sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
                continue
            if "imported" not in told:
                continue
            account.counts = {name: counts[name] + told[name] for name in counts}
            if "line" not in told:
                sys.stdout.flush()
                account.line, account.offset = sent.number, sent.end
                return
            account.line = before + told["line"]
            account.offset = sent.end_of(account.line)
            _tell_progress(account)
    raise BrokenOff("the answer broke off")


class _Sent:
    """Lines of a file as a body, and where those end that are not settled yet."""

    def __init__(self, file: BinaryIO, name: str, number: int, offset: int) -> None:
        self._file = file
        self._name = name
        self._settled = self.number = number
        self._settled_end = self.end = offset
        self._ends: deque[int] = deque()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The lines that follow, some together."""
        self._file.seek(self.end)
        while lines := self._file.readlines(CHUNK_BYTES):
            chunk = []
            for line in lines:
                self.number += 1
                self.end += len(line)
                self._ends.append(self.end)
                chunk.append(with_id(line, self._name, self.number))
            yield b"".join(chunk)

    def end_of(self, line: int) -> int:
        """Where a line that is settled now ends in the file."""
        while self._settled < line:
            self._settled_end = self._ends.popleft()
            self._settled += 1
        return self._settled_end


def with_id(line: bytes, name: str, number: int) -> bytes:
    """The line with an id, where it has none and is an object."""
    try:
        fields = orjson.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict) or fields.get("id") is not None:
        return line
    identity = uuid5(ID_SPACE, f"{name}:{number}:{orjson.dumps(fields).decode()}")
    return orjson.dumps(fields | {"id": identity}) + b"\n"


def _refusal(status: int, body: str) -> Exception:
    try:
        problem = orjson.loads(body)
        reason = f"{problem['title']}: {problem.get('detail') or status}"
    except (ValueError, KeyError, TypeError):
        reason = f"the answer was {status}"
    return BrokenOff(reason) if status in RETRIED_STATUSES else Refused(reason)


def _tell_progress(account: Account) -> None:
    now = time.monotonic()
    pause_s = PROGRESS_S if sys.stderr.isatty() else LOGGED_PROGRESS_S
    if now - account.told_s >= pause_s:
        account.told_s = now
        _say(account.describe(), lasting=False)


def _say(text: str, *, lasting: bool = True) -> None:
    if sys.stderr.isatty():
        text = f"\r\x1b[K{text}"
    else:
        lasting = True
    sys.stderr.write(f"{text}\n" if lasting else text)
    sys.stderr.flush()
