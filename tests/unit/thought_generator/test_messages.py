"""Reading what servers of the Messages API say, however it is cut into pieces."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import messages as api

from thought_generator.errors import EngineAnswerUnusable
from thought_generator.models.prompts import Usage
from thought_generator.providers import messages as module
from thought_generator.providers.messages import (
    Answer,
    Flood,
    bounded,
    events,
    parse,
    thought_of,
)

MOST = Usage(900, 300)


async def pieces(raw: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    begin = 0
    for cut in sorted({cut % (len(raw) + 1) for cut in cuts} | {len(raw)}):
        yield raw[begin:cut]
        begin = cut


def read(listed: list[dict[str, Any]]) -> Answer:
    answer = Answer(MOST)
    for event in listed:
        answer.take_event(event)
    return answer


def whole(body: dict[str, Any]) -> Answer:
    answer = Answer(MOST)
    answer.take_message(body)
    return answer


@given(st.lists(st.integers(0, 10_000), max_size=30), st.booleans(), st.text())
async def test_a_stream_reads_the_same_in_any_pieces(
    cuts: list[int], crlf: bool, text: str
) -> None:
    raw = b": a comment\n\nid: 1\nretry: 5\n\n" + api.sse(api.stream(text))
    raw = raw.replace(b"\n", b"\r\n") if crlf else raw
    found = [parse(each) async for each in events(pieces(raw, cuts))]
    assert found == api.stream(text)


async def test_an_event_of_several_lines_is_one() -> None:
    raw = b'data: {"type":\ndata:  "ping"}\n\ndata: {"cut": true'
    assert [each async for each in events(pieces(raw, []))] == [b' {"type":\n  "ping"}']


async def test_a_flood_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 100)
    with pytest.raises(Flood):
        _ = [each async for each in bounded(pieces(b"x" * 101, [50]))]


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'"x"', b"{", b"\xff", b"<html>"])
def test_only_objects_are_taken(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse(raw)


@pytest.mark.parametrize("answer", [whole(api.message()), read(api.stream())])
def test_streamed_or_whole_it_is_the_same(answer: Answer) -> None:
    assert thought_of(answer, structured=False) == api.TEXT
    assert answer.usage == Usage(400, 28, 300, 0)
    assert (answer.ended, answer.stop_reason) == (True, "end_turn")
    assert answer.model == "claude-haiku-4-5"


def test_what_a_server_leaves_out_of_the_cache_is_unknown() -> None:
    few = {"input_tokens": 7, "output_tokens": 3}
    for answer in (whole(api.message(usage=few)), read(api.stream(usage=few))):
        assert answer.usage == Usage(7, 3, None, None)


@pytest.mark.parametrize(
    "usage", [None, {}, {"input_tokens": -1, "output_tokens": True}, {"x": []}]
)
def test_what_must_be_paid_and_is_not_said_is_charged_at_its_most(
    usage: dict[str, Any] | None,
) -> None:
    assert whole(api.message(usage=usage)).usage == Usage(900, 300, None, None)


def test_before_its_end_the_first_token_is_not_all_it_said() -> None:
    begun = read(api.stream()[:-2])
    assert (begun.begun, begun.ended, begun.stop_reason) == (True, False, "")
    assert begun.usage == Usage(400, 300, 300, 0)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"type": 5},
        {"type": "message_start"},
        {"type": "message_start", "message": {"model": ["x"], "usage": 4}},
        {"type": "content_block_start", "content_block": "x"},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 5}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta"}},
        {"type": "message_delta", "delta": None, "usage": []},
        {"type": "error"},
        {"type": "of next year", "text": "x"},
    ],
)
def test_odd_events_say_nothing(odd: dict[str, Any]) -> None:
    assert read([odd]).text == ""


@pytest.mark.parametrize("model", ["", None, 5, "a\0b", "two\nlines"])
def test_a_model_without_a_proper_name_has_none(model: object) -> None:
    assert whole(api.message(model=model)).model == ""
    assert len(whole(api.message(model="m" * 5000)).model or "") == 128


@pytest.mark.parametrize(
    ("text", "stop_reason", "thought"),
    [
        ("plain", "end_turn", "plain"),
        ('{"thought": " Bees. "}', "end_turn", "Bees."),
        ('{"thought": "Bees are', "max_tokens", "Bees are"),
        ('{"thought": "Bees."}', "max_tokens", "Bees."),
    ],
)
def test_a_format_is_taken_off(text: str, stop_reason: str, thought: str) -> None:
    answer = whole(api.message(text, stop_reason=stop_reason))
    assert thought_of(answer, structured=True) == thought


@pytest.mark.parametrize(
    ("text", "stop_reason"),
    [
        ("", "end_turn"),
        (" \n\t", "end_turn"),
        ("x", None),
        ("x", "refusal"),
        ("x", "tool_use"),
        ("x", "pause_turn"),
        ("x", "of next year"),
        ('{"thought": "Bees are', "end_turn"),
        ('{"thought": ""}', "end_turn"),
        ('{"thought": 5}', "end_turn"),
        ('{"thoughts": "x"}', "end_turn"),
        ('{"tho', "max_tokens"),
        ("{", "end_turn"),
    ],
)
def test_what_is_no_thought_has_its_price(text: str, stop_reason: str | None) -> None:
    answer = whole(api.message(text, stop_reason=stop_reason))
    with pytest.raises(EngineAnswerUnusable) as met:
        thought_of(answer, structured=True)
    assert met.value.usage == Usage(400, 28, 300, 0)


def test_braces_in_plain_text_are_plain_text() -> None:
    assert thought_of(whole(api.message("{x}")), structured=False) == "{x}"
