"""Logs: one JSON object a line on standard output, whatever is logged."""

import json
import subprocess
import sys
from typing import Any

import pytest

BEGIN = """
import logging, sys, warnings
import structlog
log = structlog.get_logger()
from contracts.call import request_id, traceparent
from servicekit.logs import configure_logs
configure_logs("small", LEVEL)
"""


def lines_of(program: str, level: str = "INFO") -> list[dict[str, Any]]:
    """What a process logs that runs the program."""
    ended = subprocess.run(
        [sys.executable, "-c", BEGIN.replace("LEVEL", repr(level)) + program],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert ended.stderr == b""
    return [json.loads(line) for line in ended.stdout.splitlines()]


HOSTILE = """
log.info("one\\ntwo", text="a\\nb\\u2028\\x00", binary=b"\\xff")
log.info("own", own=object(), big=2**80)
log.info("\\ud800", text="\\udfff", **{"a b": {1: {(2,): "three"}}})
log.info("set", values={1}, error=ValueError("\\ud800"), nested=[[float("nan")]])
logging.getLogger("uvicorn.error").info("two\\nlines %s", "\\ud800")
logging.getLogger("uvicorn.error").info("%s", 2**80, extra={"own": object()})
"""


def test_anything_can_be_logged() -> None:
    lines = lines_of(HOSTILE)
    assert [line["level"] for line in lines] == ["info"] * 6
    assert lines[0]["event"] == "one\ntwo"
    assert lines[1]["big"] == 2**80
    assert lines[2]["event"] == "\ud800"
    assert lines[4]["event"] == "two\nlines \ud800"
    assert all(line["service"] == "small" for line in lines)
    assert all(line["timestamp"].endswith("Z") for line in lines)


CALLS = """
log.info("before")
request_id.set("call-1")
traceparent.set("00-1-2-01")
log.info("within")
logging.getLogger("somewhere.deep").error("within")
"""


def test_a_line_says_whose_call_it_was() -> None:
    before, *within = lines_of(CALLS)
    assert "request_id" not in before
    assert "traceparent" not in before
    assert [line["request_id"] for line in within] == ["call-1"] * 2
    assert [line["traceparent"] for line in within] == ["00-1-2-01"] * 2


FAILURES = """
try:
    1 / 0
except ZeroDivisionError:
    log.exception("ours")
    logging.getLogger("theirs").exception("theirs")
"""


def test_a_traceback_stays_within_its_line() -> None:
    for line in lines_of(FAILURES):
        assert line["level"] == "error"
        assert "Traceback" in line["exception"]
        assert line["exception"].endswith("ZeroDivisionError: division by zero")


LEVELS = """
for name in ("uvicorn.error", "yoyo.migrations", "elsewhere"):
    for level in ("debug", "info", "warning"):
        getattr(logging.getLogger(name), level)(name)
for level in ("debug", "info", "warning"):
    getattr(log, level)("ours")
"""


@pytest.mark.parametrize(
    ("level", "ours", "elsewhere"),
    [
        ("DEBUG", ["debug", "info", "warning"], ["warning"]),
        ("INFO", ["info", "warning"], ["warning"]),
        ("WARNING", ["warning"], ["warning"]),
        ("ERROR", [], ["warning"]),
    ],
)
def test_levels(level: str, ours: list[str], elsewhere: list[str]) -> None:
    lines = lines_of(LEVELS, level)
    told = {
        name: [line["level"] for line in lines if line["event"] == name]
        for name in ("ours", "uvicorn.error", "yoyo.migrations", "elsewhere")
    }
    assert told == {
        "ours": ours,
        "uvicorn.error": ours,
        "yoyo.migrations": ours,
        "elsewhere": elsewhere,
    }
