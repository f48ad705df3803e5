"""The live feed on the screen, one thought a line."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any

from devstack.fetch import Answer, get
from devstack.screen import Screen

FEED = "/api/thought/live?agent_id=default"
AGENT = "/api/thought/agents/default"
# The feed sends a comment every 15 s; after this silence it is dead.
SILENCE_S = 45.0
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 2.0
# A line of the feed holds one thought as JSON.
MAX_LINE_BYTES = 1_000_000
EXCERPT_CHARACTERS = 48
# As wide as the longest of the streams that think by default.
STREAM_CHARACTERS = 13
# What a thought says must not move the cursor or break the line.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def format_thought(thought: Mapping[str, Any]) -> str:
    """`HH:MM:SS stream   text   ↳ grew from "…" (n recalled)`."""
    at = datetime.fromisoformat(thought["created_at"]).astimezone()
    stream = _flat(thought["stream"])
    line = f"{at:%H:%M:%S} {stream:<{STREAM_CHARACTERS}}  {_flat(thought['content'])}"
    recalled = thought.get("recalled") or []
    if not recalled:
        return line
    seed = _flat(recalled[0]["content"])
    if len(seed) > EXCERPT_CHARACTERS:
        seed = seed[: EXCERPT_CHARACTERS - 1].rstrip() + "…"
    return f'{line}   ↳ grew from "{seed}" ({len(recalled)} recalled)'


class Feed:
    """Follows the live feed; goes on after the last thought seen."""

    def __init__(self, port: int, service_key: str, screen: Screen) -> None:
        self._port = port
        self._headers = {
            "Accept": "text/event-stream",
            "Authorization": f"Bearer {service_key}",
        }
        self._screen = screen

    async def follow(self) -> None:
        """Shows thoughts for ever, connecting again as often as needed."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async for thought in self._thoughts():
                    self._screen.say(format_thought(thought))
                    pause_s = FIRST_PAUSE_S
            except (OSError, EOFError, TimeoutError):
                # The supervisor says what went away; here it only comes back.
                pass
            except (ValueError, KeyError) as error:
                self._screen.say(f"a thought cannot be shown: {error!r}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_PAUSE_S)

    async def say_if_paused(self) -> None:
        """A pause outlives a restart; without a word the mind would look dead."""
        with suppress(OSError, EOFError, TimeoutError, ValueError):
            async with (
                asyncio.timeout(SILENCE_S),
                get(self._port, AGENT, self._headers) as answer,
            ):
                agent = json.loads(await answer.read())
            if agent.get("state") == "paused":
                url = f"http://127.0.0.1:{self._port}{AGENT}/resume"
                self._screen.say(f"its streams are paused; resume: curl -X POST {url}")

    async def _thoughts(self) -> AsyncGenerator[Mapping[str, Any]]:
        async with get(self._port, FEED, self._headers) as answer:
            if answer.status != 200:
                raise EOFError(f"the feed answers {answer.status}")
            async with aclosing(_events(answer)) as events:
                async for event in events:
                    if event.get("id"):
                        self._headers["Last-Event-ID"] = event["id"]
                    if event.get("event") == "thought":
                        yield json.loads(event["data"])


async def _events(answer: Answer) -> AsyncGenerator[dict[str, str]]:
    """Server-sent events: the fields of each, several lines of data joined."""
    event: dict[str, str] = {}
    async with aclosing(_lines(answer)) as lines:
        async for line in lines:
            if not line:
                if "data" in event:
                    yield event
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                event[name] = f"{event[name]}\n{value}" if name in event else value


async def _lines(answer: Answer) -> AsyncGenerator[str]:
    rest = b""
    parts = answer.parts()
    while True:
        async with asyncio.timeout(SILENCE_S):
            part = await anext(parts, None)
        if part is None:
            return
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise EOFError("the feed sends a line without end")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="replace")


def _flat(text: str) -> str:
    return CONTROL.sub(" ", text).strip()
