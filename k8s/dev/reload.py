"""Runs a command on a copy of this project's code, again whenever the copy changes.

The root of a pod is read-only and its /tmp is not: there the copy lies, there Skaffold
puts changed files, and there Python finds them before what is installed.
"""

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

OURS = "claude-agi-"
INTERVAL_S = 0.5
# Then it is killed: longer than any service here takes to stop.
STOP_S = 10


def copy_code(target: Path) -> None:
    """The packages of this project, as they are installed."""
    target.mkdir(parents=True, exist_ok=True)
    for distribution in importlib.metadata.distributions():
        if not distribution.name.startswith(OURS):
            continue
        files = distribution.files or []
        for name in {file.parts[0] for file in files if file.suffix == ".py"}:
            source = Path(str(distribution.locate_file(name)))
            shutil.copytree(source, target / name, dirs_exist_ok=True)


def state(folder: Path) -> dict[str, int]:
    """When each file changed; bytecode does not count."""
    times = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if path.suffix != ".pyc" and path.exists():
                times[str(path)] = path.stat().st_mtime_ns
    return times


class Runner:
    """One child at a time; SIGTERM goes to it and ends the loop."""

    def __init__(self, command: list[str], code: Path) -> None:
        self._command = command
        self._code = code
        self._stopping = False
        self._child = self._start()
        signal.signal(signal.SIGTERM, self._on_term)

    def run(self) -> int:
        """Returns the child's exit code once it ends and no change had started it."""
        seen, changed = state(self._code), False
        while True:
            time.sleep(INTERVAL_S)
            if (now := state(self._code)) != seen and not self._stopping:
                seen, changed = self._settled(now), True
                self._stop()
                say("the code changed, starting again")
                self._child = self._start()
            elif (code := self._child.poll()) is not None and (
                self._stopping or not changed
            ):
                # As a shell says that a signal ended it.
                return code if code >= 0 else 128 - code

    def _settled(self, now: dict[str, int]) -> dict[str, int]:
        while True:
            time.sleep(INTERVAL_S)
            if (later := state(self._code)) == now:
                return now
            now = later

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, [str(self._code), os.getenv("PYTHONPATH")]))
        return subprocess.Popen(self._command, env=os.environ | {"PYTHONPATH": path})

    def _stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _on_term(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._child.terminate()


def say(text: str) -> None:
    """A line among the service's own."""
    sys.stderr.write(f"reload: {text}\n")


def main() -> None:
    """`reload.py COMMAND...`"""
    code = Path(tempfile.gettempdir(), "src")
    copy_code(code)
    sys.exit(Runner(sys.argv[1:], code).run())


if __name__ == "__main__":
    main()
