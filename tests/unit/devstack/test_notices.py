"""Warnings of services reach the terminal, once in a while and never as noise."""

import io
import json

import pytest

from devstack import notices as notices_module
from devstack.notices import Notices
from devstack.screen import Screen

DOZE = {
    "service": "thought-generator",
    "level": "warning",
    "event": "stream dozes",
    "error": "no answer from the model",
    "timestamp": "2026-01-01T00:00:00Z",
}


def shown(*lines: object) -> list[str]:
    stream = io.StringIO()
    notices = Notices(Screen(stream))
    for line in lines:
        notices.hear(line if isinstance(line, bytes) else json.dumps(line).encode())
    return stream.getvalue().splitlines()


def test_a_warning_is_shown_with_what_it_says() -> None:
    assert shown(DOZE) == [
        "thought-generator: stream dozes (error=no answer from the model)"
    ]


def test_the_same_warning_is_shown_once_and_another_as_well() -> None:
    other = DOZE | {"error": "budget spent"}
    assert len(shown(DOZE, DOZE, other, DOZE, other)) == 2


def test_it_is_shown_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "REPEAT_AFTER_S", -1.0)
    assert len(shown(DOZE, DOZE)) == 2


@pytest.mark.parametrize(
    "line",
    [
        DOZE | {"level": "info"},
        b"plain text",
        b"{",
        b"[1]",
        b'"text"',
        b"\xff\xfe",
        b"",
        {"level": "warning"},
    ],
)
def test_anything_else_is_passed_over(line: object) -> None:
    assert shown(line) == []
