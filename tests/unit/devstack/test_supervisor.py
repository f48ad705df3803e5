"""How long the supervisor waits before it starts a dead server again."""

import asyncio
import io

import pytest

from devstack import supervisor as supervisor_module
from devstack.errors import StackError
from devstack.processes import Process
from devstack.screen import Screen
from devstack.supervisor import Supervisor


class Mortal(Process):
    """A process that is dead from the start."""

    def __init__(self) -> None:
        self.deaths = 0

    async def wait(self) -> int:
        self.deaths += 1
        return 1

    def describe_end(self) -> str:
        return "exit code 1"


class Sickly:
    """A server that dies at once, and sometimes does not even start."""

    title = "sickly"

    def __init__(self, failing: int = 0) -> None:
        self.process: Process | None = Mortal()
        self.starts = 0
        self._failing = failing

    async def start(self) -> None:
        self.starts += 1
        if self.starts <= self._failing:
            raise StackError(f"sickly fails {self.starts}")


@pytest.mark.parametrize("failing", [0, 6])
async def test_pauses_grow_from_none_to_the_maximum(
    monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr("devstack.supervisor.asyncio.sleep", sleep)
    shown = io.StringIO()
    with pytest.raises(asyncio.CancelledError):
        await Supervisor(Screen(shown)).watch(Sickly(failing))
    assert pauses == [0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert "sickly ended (exit code 1); starting it again" in shown.getvalue()
    assert ("sickly fails 6" in shown.getvalue()) is bool(failing)


async def test_who_lived_long_starts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "STEADY_S", -1.0)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr("devstack.supervisor.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Supervisor(Screen(io.StringIO())).watch(Sickly())
    assert pauses == [0, 0, 0]
