"""Reads an answer of the Messages API, streamed or whole; nothing in it is trusted."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from jiter import from_json

from thought_generator.errors import EngineAnswerUnusable
from thought_generator.models.prompts import Usage

# A thought is some kB. More is no answer to our question, and is not held in memory.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_MODEL_CHARS = 128
WHOLE_ANSWERS = frozenset({"end_turn", "max_tokens", "stop_sequence"})
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
THOUGHT_FIELD = "thought"
# https://platform.claude.com/docs/en/build-with-claude/structured-outputs
THOUGHT_FORMAT = {
    "format": {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {THOUGHT_FIELD: {"type": "string"}},
            "required": [THOUGHT_FIELD],
            "additionalProperties": False,
        },
    }
}


class Flood(Exception):
    """The answer is larger than any thought."""


@dataclass(slots=True)
class Answer:
    """What has come of an answer so far; `most` is what it can have used at most."""

    most: Usage
    model: str | None = None
    stop_reason: str = ""
    ended: bool = False
    error: str | None = None
    """The type of an error that the server met while it answered."""
    _texts: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(self._texts).strip()

    @property
    def begun(self) -> bool:
        """Whether the model has begun, and so has a price."""
        return self.model is not None

    @property
    def usage(self) -> Usage:
        """Tokens; what must be charged and was left out is charged at its most."""
        most = self.most
        return Usage(
            input_tokens=self._counts.get("input_tokens", most.input_tokens),
            output_tokens=self._counts.get("output_tokens", most.output_tokens),
            cache_read_input_tokens=self._counts.get("cache_read_input_tokens"),
            cache_creation_input_tokens=self._counts.get("cache_creation_input_tokens"),
        )

    def take_message(self, message: Mapping[str, Any]) -> None:
        """All of it at once; ValueError for an object that is no message."""
        blocks = message.get("content")
        if not isinstance(blocks, list):
            raise ValueError("no content")
        self._begin(message)
        for block in blocks:
            self._say(_members(block))
        self._stop(message)
        self.ended = True

    def take_event(self, event: Mapping[str, Any]) -> None:
        """The next event of a stream; kinds that are not known are passed over."""
        match event.get("type"):
            case "message_start":
                self._begin(_members(event.get("message")))
                # It has only begun to speak: what it will have said comes last.
                self._counts.pop("output_tokens", None)
            case "content_block_start":
                self._say(_members(event.get("content_block")))
            case "content_block_delta":
                self._say(_members(event.get("delta")))
            case "message_delta":
                self._stop(_members(event.get("delta")))
                self._count(event)
            case "message_stop":
                self.ended = True
            case "error":
                self.error = str(_members(event.get("error")).get("type"))

    def _begin(self, message: Mapping[str, Any]) -> None:
        model = message.get("model")
        known = isinstance(model, str) and model.isprintable()
        self.model = str(model)[:MAX_MODEL_CHARS] if known else ""
        self._count(message)

    def _stop(self, said: Mapping[str, Any]) -> None:
        reason = said.get("stop_reason")
        self.stop_reason = reason if isinstance(reason, str) else ""

    def _say(self, part: Mapping[str, Any]) -> None:
        text = part.get("text")
        if part.get("type") in ("text", "text_delta") and isinstance(text, str):
            self._texts.append(text)

    def _count(self, part: Mapping[str, Any]) -> None:
        """Counts of a stream add up; the last one said holds."""
        given = _members(part.get("usage"))
        for name in COUNTS:
            count = given.get(name)
            if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                self._counts[name] = count


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def parse(raw: bytes) -> Mapping[str, Any]:
    """A JSON object; ValueError for whatever else it is."""
    value = orjson.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


async def bounded(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, as long as they are no flood."""
    size_bytes = 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > MAX_ANSWER_BYTES:
            raise Flood(f"it has more than {MAX_ANSWER_BYTES} bytes")
        yield chunk


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each server-sent event.

    https://html.spec.whatwg.org/multipage/server-sent-events.html; the fields but
    `data` say nothing that the data do not say too.
    """
    rest = bytearray()
    data: list[bytes] = []
    async for chunk in chunks:
        rest += chunk
        if b"\n" not in chunk:
            continue
        *lines, last = bytes(rest).split(b"\n")
        rest[:] = last
        for line in lines:
            content = line.removesuffix(b"\r")
            if content.startswith(b"data:"):
                data.append(content[5:])
            elif not content and data:
                yield b"\n".join(data)
                data.clear()


def is_formatted(answer: Answer) -> bool:
    """Whether it may be the JSON asked for; a server may not know of formats."""
    return answer.text.startswith("{")


def thought_of(answer: Answer, structured: bool) -> str:
    """The thought that was said, be it in the format asked for or in plain text.

    Raises:
        EngineAnswerUnusable: it was not said to its end, is empty or not that format.
    """
    if answer.stop_reason not in WHOLE_ANSWERS:
        raise EngineAnswerUnusable(
            f"stop_reason is {answer.stop_reason or None}", answer.usage
        )
    formatted = structured and is_formatted(answer)
    text = _field(answer) if formatted else answer.text
    if not text:
        raise EngineAnswerUnusable("the answer is empty", answer.usage)
    return text


def _field(answer: Answer) -> str:
    try:
        # At the limit of tokens it may end anywhere, as plain text does.
        value = from_json(
            answer.text.encode(),
            partial_mode=answer.stop_reason == "max_tokens" and "trailing-strings",
        )
    except ValueError:
        value = None
    thought = _members(value).get(THOUGHT_FIELD)
    if not isinstance(thought, str):
        raise EngineAnswerUnusable("the answer is not the JSON asked for", answer.usage)
    return thought.strip()
