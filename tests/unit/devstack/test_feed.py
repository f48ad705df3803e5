"""The live feed on the screen: cut anywhere, lost, resumed, unreadable."""

import asyncio
import io
import json
from collections.abc import Sequence

import pytest

from devstack import thoughts
from devstack.screen import Screen
from devstack.thoughts import Feed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def event(number: int, **changed: object) -> bytes:
    thought = {
        "created_at": "2026-11-23T10:20:30Z",
        "stream": "primary",
        "content": f"thought {number}",
        **changed,
    }
    return f"id: {number}\nevent: thought\ndata: {json.dumps(thought)}\n\n".encode()


class Shown(io.StringIO):
    """A screen that knows when it has seen enough."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.full = asyncio.Event()
        self._lines = lines

    def flush(self) -> None:
        if len(self.getvalue().splitlines()) >= self._lines:
            self.full.set()


async def show(answers: Sequence[bytes], lines: int) -> tuple[list[str], list[str]]:
    """The lines shown when the service gives those answers, and what was asked."""
    asked: list[str] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        for byte in left.pop(0) if left else b"":
            writer.write(bytes([byte]))
            await writer.drain()
        writer.close()

    shown = Shown(lines)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    following = asyncio.create_task(Feed(port, "key", Screen(shown)).follow())
    async with asyncio.timeout(10):
        await shown.full.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    server.close()
    return [line.split("  ")[-1] for line in shown.getvalue().splitlines()], asked


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thoughts, "FIRST_PAUSE_S", 0.0)


async def test_a_lost_feed_goes_on_after_the_last_thought() -> None:
    first = HEAD + b": hello\n\n" + event(1) + event(2) + event(3)[:-20]
    shown, asked = await show([first, HEAD + event(3) + event(4)], 4)
    assert shown == ["thought 1", "thought 2", "thought 3", "thought 4"]
    assert "Last-Event-ID" not in asked[0]
    assert "Last-Event-ID: 2\r\n" in asked[1]
    assert "Authorization: Bearer key\r\n" in asked[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        HEAD + b"event: other\ndata: {}\n\n",
        HEAD + b"event: thought\n\n",
    ],
)
async def test_answers_that_are_no_thought_are_asked_again(answer: bytes) -> None:
    shown, asked = await show([answer, HEAD + event(1)], 1)
    assert shown == ["thought 1"]
    assert len(asked) == 2


async def test_crlf_and_several_lines_of_data_are_one_thought() -> None:
    body = (
        b'event: thought\r\nid: 7\r\ndata: {"stream": "primary",\r\n'
        b'data: "created_at": "2026-11-23T10:20:30Z",\r\n'
        b'data: "content": "thought 7"}\r\n\r\n'
    )
    chunked = HEAD[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"".join(b"%x\r\n%b\r\n" % (1, bytes([byte])) for byte in body)
    shown, _ = await show([chunked], 1)
    assert shown == ["thought 7"]


async def test_a_thought_that_cannot_be_shown_is_said_and_passed() -> None:
    answers = [HEAD + b'id: 1\nevent: thought\ndata: {"x": 1}\n\n', HEAD + event(2)]
    shown, asked = await show(answers, 2)
    assert shown[0].startswith("a thought cannot be shown")
    assert shown[1] == "thought 2"
    assert "Last-Event-ID: 1\r\n" in asked[1]
