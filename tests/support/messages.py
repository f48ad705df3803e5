"""A server of the Messages API, down to its bytes: what third-party mocks cannot do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

TEXT = "The harbour and the winter: perhaps bees, though salt."
# 400 · $1 + 28 · $5 + 300 · $0.10, each for a million.
USAGE = {
    "input_tokens": 400,
    "output_tokens": 28,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 0,
}
COST_USD = 0.00057

Member = dict[str, Any]
Play = Callable[[asyncio.StreamWriter], Awaitable[None]]


def message(text: str = TEXT, **changed: Any) -> Member:
    """A whole answer."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **changed,
    }


def stream(text: str = TEXT, **changed: Any) -> list[Member]:
    """The same as events; usage begins small and ends as it is."""
    whole = message(text, **changed)
    blocks, usage = whole["content"], whole["usage"]
    start = whole | {"content": [], "stop_reason": None}
    start["usage"] = usage | {"output_tokens": 1} if usage else usage
    events: list[Member] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(blocks):
        events += _block(index, block)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    output = {"output_tokens": usage["output_tokens"]} if usage else {}
    events.append({"type": "message_delta", "delta": delta, "usage": output})
    events.append({"type": "message_stop"})
    return events


def _block(index: int, block: Member) -> list[Member]:
    if block["type"] == "text":
        text, begun = block["text"], block | {"text": ""}
        parts = [text[:40], text[40:]] if len(text) > 40 else [text]
        deltas = [{"type": "text_delta", "text": part} for part in parts]
    else:
        begun = block | {"input": {}}
        parts = [orjson.dumps(block["input"]).decode()]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": index, "delta": delta}
            for delta in deltas
        ),
        {"type": "content_block_stop", "index": index},
    ]


def sse(events: Iterable[Member]) -> bytes:
    """Events as they are sent."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))
        for event in events
    )


def head(
    kind: str, length: int | None = None, status: int = 200, **headers: str
) -> bytes:
    """A response's head; without a length its body ends with the connection."""
    lines = [f"HTTP/1.1 {status} As-Told", f"content-type: {kind}"]
    if length is None:
        lines.append("connection: close")
    else:
        lines.append(f"content-length: {length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def says(body: bytes, kind: str, status: int = 200, **headers: str) -> Play:
    """Answers with this body, whole."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(head(kind, len(body), status, **headers) + body)

    return play


def streams(events: Iterable[Member]) -> Play:
    """Answers with these events, whole."""
    return says(sse(events), "text/event-stream; charset=utf-8")


def answers(body: object) -> Play:
    """Answers with this JSON, whole."""
    return says(orjson.dumps(body), "application/json")


def refuses(status: int, said: str = "no", **headers: str) -> Play:
    """Answers with an error as the Messages API has them."""
    error = {"type": "error", "error": {"type": "api_error", "message": said}}
    return says(orjson.dumps(error), "application/json", status, **headers)


def drops(begun: bytes = b"") -> Play:
    """Sends this much and resets the connection."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await writer.drain()
        # What was sent must have been read, or the reset would take it back.
        await asyncio.sleep(0.05 if begun else 0)
        writer.transport.abort()

    return play


def ends(begun: bytes) -> Play:
    """Sends this much and closes the connection in good order."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await writer.drain()
        writer.close()

    return play


def stays_silent(begun: bytes = b"") -> Play:
    """Sends this much and nothing more."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await asyncio.Event().wait()

    return play


def drips(body: bytes, pause_s: float, begun: bytes = b"") -> Play:
    """Sends a byte at a time."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_s)

    return play


@dataclass
class Model:
    """Plays what it was given, one for each call, the last again and again."""

    plays: list[Play] = field(default_factory=lambda: [streams(stream())])
    asked: list[Member] = field(default_factory=list)
    """The bodies of the calls so far."""
    port: int = 0

    @property
    def base_url(self) -> str:
        """What ANTHROPIC_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.port}"

    def will(self, *plays: Play) -> None:
        """Plays these from now on, and forgets what it was asked."""
        self.plays, self.asked = list(plays), []

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                (length,) = (
                    int(line.partition(b":")[2])
                    for line in lines
                    if line.startswith(b"content-length:")
                )
                self.asked.append(orjson.loads(await reader.readexactly(length)))
                play = self.plays[min(len(self.asked), len(self.plays)) - 1]
                await play(writer)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def scripted_model(*plays: Play) -> AsyncIterator[Model]:
    """A server of its own, ended with the block."""
    model = Model()
    if plays:
        model.will(*plays)
    calls: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        assert call is not None
        calls.add(call)
        try:
            await model.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            calls.discard(call)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    model.port = server.sockets[0].getsockname()[1]
    try:
        yield model
    finally:
        server.close()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
