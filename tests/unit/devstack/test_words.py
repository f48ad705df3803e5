"""What the runner makes of text: settings, addresses, logs, thoughts."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from devstack import logs
from devstack.account import Account
from devstack.credentials import Credentials
from devstack.errors import StackError
from devstack.logs import RotatingLog
from devstack.processes import find_reason
from devstack.screen import OutputClosed, Screen
from devstack.settings import Settings
from devstack.thoughts import format_thought

AT = "2026-11-23T10:20:30.5+00:00"


def thought(content: str, *recalled: str) -> dict[str, Any]:
    return {
        "created_at": AT,
        "stream": "primary",
        "content": content,
        "recalled": [{"content": text} for text in recalled],
    }


@pytest.mark.parametrize(
    ("given", "ending"),
    [
        (thought("Bees."), "primary        Bees."),
        (
            thought("Bees.", "Ada keeps bees.", "Winter."),
            'primary        Bees.   ↳ grew from "Ada keeps bees." (2 recalled)',
        ),
        (
            thought("two\nlines\r\n and \x1b[31mred\u2028end"),
            "primary        two lines  and  [31mred end",
        ),
        (
            thought("x", "a" * 47 + " b"),
            f'x   ↳ grew from "{"a" * 47}…" (1 recalled)',
        ),
        (thought("x", "a" * 48), f'x   ↳ grew from "{"a" * 48}" (1 recalled)'),
    ],
)
def test_a_thought_is_one_line(given: dict[str, Any], ending: str) -> None:
    line = format_thought(given)
    assert line[2] == line[5] == ":"
    assert line[8] == " "
    assert line.endswith(ending)


def test_times_are_shown_as_the_clock_on_the_wall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    import time

    time.tzset()
    assert format_thought(thought("x")).startswith("15:50:30 primary")
    monkeypatch.undo()
    time.tzset()


def test_settings_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.read({"DATABASE_URL": "", "PORT": ""})
    assert settings.address == "http://127.0.0.1:8000"
    assert settings.data_dir == Path.cwd() / ".data"
    assert settings.database_url is None


@pytest.mark.parametrize("port", ["0", "65533", "-1", "80a", "８０", " 80"])
def test_a_port_leaves_room_for_three_more(port: str) -> None:
    assert Settings.read({"PORT": "65532"}).port == 65_532
    with pytest.raises(StackError, match="is not a port between 1 and 65532"):
        Settings.read({"PORT": port})


def test_secrets_are_made_once_and_shown_to_nobody(tmp_path: Path) -> None:
    made = Credentials.load(tmp_path)
    assert Credentials.load(tmp_path) == made
    file = tmp_path / "secrets.json"
    assert file.stat().st_mode & 0o777 == 0o600
    secrets = json.loads(file.read_text()).values()
    assert len(set(secrets)) == len(secrets)
    assert not any(secret in repr(made) for secret in secrets)
    file.write_text("{}")
    with pytest.raises(StackError, match="restore it"):
        Credentials.load(tmp_path)


def test_a_log_keeps_the_newest_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_FILE_BYTES", 40)
    file = tmp_path / "service.log"
    file.write_bytes(b"from an earlier run.\n")
    log = RotatingLog(file)
    for number in range(20):
        log.write(b"line number %03d\n" % number)
    log.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["service.log", "service.log.1", "service.log.2"]
    parts = [tmp_path / name for name in reversed(kept)]
    text = "".join(part.read_text() for part in parts)
    assert text.splitlines() == [f"line number {n:03}" for n in range(11, 20)]
    assert all(part.stat().st_size < 80 for part in parts)
    assert log.tail()[-1] == "line number 019"
    log.forget_tail()
    assert log.tail() == []


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "missing" / "service.log")
    log.write(b"last words\n")
    assert log.tail() == ["last words"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["initdb: error: no space", "initdb: removing data"],
            "initdb: error: no space",
        ),
        (["Traceback", "ValueError: no"], "ValueError: no"),
        (["FATAL:  one", "FATAL:  two", "bye"], "FATAL:  two"),
        (["just this"], "just this"),
        ([], "no output"),
    ],
)
def test_the_telling_line_is_found(lines: list[str], reason: str) -> None:
    assert find_reason(lines) == reason


@pytest.mark.parametrize(
    ("mode", "account", "may"),
    [
        (0o700, Account(os.getuid(), 12_345), True),
        (0o070, Account(os.getuid(), 12_345), False),
        (0o701, Account(54_321, 12_345), True),
        (0o770, Account(54_321, 12_345), False),
        (0o710, Account(54_321, os.getgid()), True),
        (0o707, Account(54_321, os.getgid()), False),
    ],
)
def test_the_mode_says_who_may_pass(
    tmp_path: Path, mode: int, account: Account, may: bool
) -> None:
    below = tmp_path / "folder"
    below.mkdir()
    below.chmod(mode)
    os.chown(below, os.getuid(), os.getgid())
    assert account.may(below, os.X_OK) is may
    below.chmod(0o700)


class Gone(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def flush(self) -> None:
        raise self._error

    def fileno(self) -> int:
        return os.dup(os.open(os.devnull, os.O_WRONLY))


def test_the_screen_tells_a_closed_output_from_a_full_one() -> None:
    Screen(Gone(OSError(28, "No space left on device"))).say("x")
    with pytest.raises(OutputClosed):
        Screen(Gone(BrokenPipeError())).say("x")
