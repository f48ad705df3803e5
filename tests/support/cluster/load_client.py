"""Calls a mind at a steady rate until told to stop. Runs in a pod, by itself.

ADDRESS, KEY, RATE (calls a second) and CALLS (names, each as often as it is to come
in the mix) are environment variables. Each failed call is a JSON line, the last line
says how many were sent. A call that is slow does not hold up the next one.
"""

import asyncio
import json
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import aiohttp

CALL_S = 10.0
# A caller who sends an Idempotency-Key comes back once, as the answer's header says.
RETRY_S = 1.0

Body = Callable[[int], Any]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Body | None = None
    idempotent: bool = True
    keyed: bool = False


CALLS = {
    "thoughts": Call("GET", "/api/thought/recent?limit=5"),
    "memories": Call("GET", "/api/memory/recent?limit=5"),
    "recall": Call(
        "POST",
        "/api/memory/recall",
        lambda n: {"query": f"What did boat {n % 50} bring?", "limit": 3},
    ),
    "validate": Call(
        "POST",
        "/api/safety/validate",
        lambda n: {"content": f"Boat {n} came in with the evening tide."},
    ),
    "remember": Call(
        "POST",
        "/api/memory",
        lambda n: {"content": f"Boat {n} brought {n % 97} crates of pears."},
        keyed=True,
    ),
    "think": Call(
        "POST",
        "/api/thought/generate",
        lambda n: {"context": f"What of boat {n}?", "use_cache": False},
        idempotent=False,
    ),
}


class Caller:
    """Sends the calls and counts what came back."""

    def __init__(self, sessions: list[aiohttp.ClientSession]) -> None:
        self._sessions = sessions
        self.sent: Counter[str] = Counter()
        self.took_ms: list[float] = []

    async def call(self, number: int, name: str) -> None:
        """One call; half of all are on a connection of their own."""
        self.sent[name] += 1
        begun = time.monotonic()
        call, session = CALLS[name], self._sessions[number % 2]
        key = {"Idempotency-Key": str(uuid.uuid4())} if call.keyed else {}
        failure = await self._answer(session, call, number, key)
        if failure and call.keyed:
            await asyncio.sleep(RETRY_S)
            failure = await self._answer(session, call, number, key)
        took_s = time.monotonic() - begun
        self.took_ms.append(took_s * 1000)
        if failure:
            say(
                failed=name,
                idempotent=call.idempotent,
                why=failure,
                kept_connection=number % 2 == 0,
                took_s=round(took_s, 2),
                at=time.time(),
            )

    async def _answer(
        self,
        session: aiohttp.ClientSession,
        call: Call,
        number: int,
        headers: dict[str, str],
    ) -> str | None:
        body = call.body(number) if call.body else None
        try:
            async with session.request(
                call.method, call.path, json=body, headers=headers
            ) as answer:
                text = await answer.text()
                return None if answer.ok else f"{answer.status} {text[:200]}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return repr(error)


def say(**line: Any) -> None:
    """One line of the log."""
    print(json.dumps(line), flush=True)


def session(*, kept: bool) -> aiohttp.ClientSession:
    """A client that keeps its connections, or none of them, and repeats nothing."""
    made = aiohttp.ClientSession(
        os.environ["ADDRESS"],
        connector=aiohttp.TCPConnector(limit=0, force_close=not kept),
        headers={"Authorization": f"Bearer {os.environ['KEY']}"},
        timeout=aiohttp.ClientTimeout(CALL_S),
    )
    made._retry_connection = False
    return made


async def main() -> None:
    """Calls at the rate until SIGTERM, then waits for what is under way."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    rate, names = float(os.environ["RATE"]), cycle(os.environ["CALLS"].split(","))
    async with session(kept=True) as kept, session(kept=False) as fresh:
        caller, begun, number = Caller([kept, fresh]), time.monotonic(), 0
        say(begun=time.time())
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(caller.call(number, next(names)))
                number += 1
                due_s = begun + number / rate - time.monotonic()
                await asyncio.sleep(max(0.0, due_s))
    took_ms = sorted(caller.took_ms)
    say(
        sent=caller.sent,
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
    )


if __name__ == "__main__":
    asyncio.run(main())
