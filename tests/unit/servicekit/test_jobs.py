"""Jobs: they wait with patience, and end with a reason."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from servicekit import jobs
from servicekit.jobs import JobFailed, NotYet, until_done


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_S", 0.01)


def lacking(*reasons: str) -> Iterator[str]:
    """What is missing at each attempt, until nothing is."""
    return iter(reasons)


async def test_it_is_tried_until_nothing_is_missing() -> None:
    reasons = lacking("a", "a", "b", "b", "a")

    async def attempt() -> str:
        for reason in reasons:
            raise NotYet(reason)
        return "done"

    with capture_logs() as lines:
        assert await until_done(attempt) == "done"
    # Said when it is another reason, not at each attempt.
    assert [line["reason"] for line in lines] == ["a", "b", "a"]
    assert {line["event"] for line in lines} == {"waiting"}


async def test_what_lasts_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SAY_EVERY_S", 0.05)

    async def attempt() -> None:
        raise NotYet("a")

    with capture_logs() as lines, pytest.raises(JobFailed) as caught:
        await until_done(attempt, deadline_s=0.3)
    assert str(caught.value) == "gave up after 0 s: a"
    assert 3 <= len(lines) <= 6


async def test_what_waiting_cannot_mend_passes_at_once() -> None:
    async def attempt() -> None:
        raise JobFailed("no")

    with pytest.raises(JobFailed, match=r"^no$"):
        await until_done(attempt, deadline_s=60.0)


@pytest.mark.parametrize(
    ("work", "code", "line"),
    [
        ("pass", 0, {}),
        ("raise JobFailed('no bees')", 1, {"event": "failed", "reason": "no bees"}),
        ("1 / 0", 1, {"event": "failed", "reason": "ZeroDivisionError"}),
        ("read_setting('NOBODY_SETS')", 1, {"reason": "NOBODY_SETS is not set"}),
    ],
)
def test_the_last_line_is_the_reason(
    work: str, code: int, line: dict[str, str]
) -> None:
    program = f"""
from servicekit.jobs import *
async def work(): {work}
run_job("small", work)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=30
    )
    assert (ended.returncode, ended.stderr) == (code, b"")
    lines = [json.loads(each) for each in ended.stdout.splitlines()]
    assert len(lines) == (1 if line else 0)
    for each in lines:
        assert line.items() <= each.items()
        assert ("exception" in each) == ("Zero" in each["reason"])
