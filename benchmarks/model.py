"""A server of the Messages API that answers with plain JSON after a fixed time:
`python -m benchmarks.model 50` prints its port. It stands for somebody else's model,
in a process of its own, and costs as little as can be."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[1]
LENGTH = b"content-length:"
HEAD_END = b"\r\n\r\n"
# Whoever is told the same again and again would be right to call it a loop.
SUBJECTS = "harbour bees lantern river letter orchard salt bridge garden glass".split()
ACTS = "waits for keeps hides mends outlives borrows forgets".split()
USAGE = {
    "input_tokens": 400,
    "output_tokens": 28,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 0,
}


class _Connection(asyncio.Protocol):
    """One call after the other; each is answered when its time has passed."""

    numbers = itertools.count(1)

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(HEAD_END)
        if not found or len(body) < _length(head):
            return
        self._received = b""
        asyncio.get_running_loop().call_later(
            self._latency_s, self._answer, orjson.loads(body)["model"]
        )

    def _answer(self, model: str) -> None:
        content = orjson.dumps(_message(model, next(self.numbers)))
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{LENGTH.decode()}"
        self._transport.write(f"{head} {len(content)}\r\n\r\n".encode() + content)


def _length(head: bytes) -> int:
    return int(head.lower().partition(LENGTH)[2].partition(b"\r\n")[0])


def _message(model: str, number: int) -> dict[str, object]:
    act, subject, other = (
        words[number // step % len(words)]
        for words, step in ((ACTS, 1), (SUBJECTS, 7), (SUBJECTS, 70))
    )
    text = f"The {subject} {act} the {other}: that is question {number}, still open."
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


async def _serve(latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(latency_s), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def slow_model(latency_ms: int) -> Iterator[str]:
    """Its base URL; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.model", str(latency_ms)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
