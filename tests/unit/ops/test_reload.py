"""What starts a service again when Skaffold has put a changed file into its pod."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from tests.unit.ops.pages import ROOT

RELOAD = ROOT / "k8s" / "dev" / "reload.py"
# An interpreter without this project's packages: they come from `site`.
PYTHON = getattr(sys, "_base_executable", sys.executable)
WAIT_S = 20.0
SEVERAL_LOOKS_S = 1.5

# A service that says which code it runs, and how it ended.
SERVICE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended in order"))
from ours.words import WORD
print(WORD, flush=True)
while WORD != "broken":
    time.sleep(0.05)
sys.exit(7)
"""


class Pod:
    """A running reload.py; its packages are installed in `site`, /tmp is `tmp`."""

    def __init__(self, folder: Path, word: str) -> None:
        self.code = folder / "tmp" / "src" / "ours"
        self.log = folder / "log"
        site = folder / "site"
        _install(site, "claude-agi-ours", "ours", word)
        _install(site, "somebody-elses", "theirs", "not copied")
        (folder / "tmp").mkdir()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, RELOAD, PYTHON, "-m", "ours"],
                env={"PYTHONPATH": str(site), "TMPDIR": str(folder / "tmp")},
                stdout=log,
                stderr=log,
            )

    def sync(self, name: str, text: str) -> None:
        """As Skaffold does it: the file appears."""
        (self.code / name).write_text(text)

    def until(self, holds: Callable[[str], bool]) -> str:
        """The log, once it is as wanted."""
        end = monotonic() + WAIT_S
        while not holds(text := self.log.read_text()):
            assert monotonic() < end, text
            sleep(0.05)
        return text


def _install(site: Path, name: str, package: str, word: str) -> None:
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").touch()
    (site / package / "__main__.py").write_text(SERVICE)
    (site / package / "words.py").write_text(f"WORD = {word!r}\n")
    (site / package / "query.sql").write_text("SELECT 1")
    about = site / f"{package}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    )
    (about / "RECORD").write_text(f"{package}/__init__.py,,\n{about.name}/RECORD,,\n")


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    made = Pod(tmp_path, "first")
    yield made
    made.process.kill()
    made.process.wait()


def test_a_changed_file_starts_the_service_again(pod: Pod) -> None:
    pod.until(lambda log: "first" in log)
    assert (pod.code / "query.sql").exists()
    assert not (pod.code.parent / "theirs").exists()
    pod.sync("words.py", "WORD = 'second'\n")
    log = pod.until(lambda log: "second" in log)
    assert "ended in order" in log


def test_a_mistake_waits_for_its_correction(pod: Pod) -> None:
    pod.until(lambda log: "first" in log)
    pod.sync("words.py", "WORD =\n")
    pod.until(lambda log: "SyntaxError" in log)
    sleep(SEVERAL_LOOKS_S)
    assert pod.process.poll() is None
    pod.sync("words.py", "WORD = 'mended'\n")
    pod.until(lambda log: "mended" in log)


def test_being_told_to_stop_stops_the_service(pod: Pod) -> None:
    pod.until(lambda log: "first" in log)
    pod.sync("words.py", "WORD = 'second'\n")
    pod.until(lambda log: "second" in log)
    os.kill(pod.process.pid, signal.SIGTERM)
    assert pod.process.wait(WAIT_S) == 1
    assert pod.log.read_text().count("ended in order") == 2


def test_a_service_that_fails_at_its_start_fails_the_pod(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "broken")
    assert pod.process.wait(WAIT_S) == 7
