"""Helm, from PATH or from `make chart-tools`."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "claude-agi"
KIND_VALUES = CHART / "values-kind.yaml"
TIMEOUT = "5m"


def path() -> str:
    """Where programs are looked for: first where `make chart-tools` puts them."""
    return f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ['PATH']}"


def helm(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs it; AssertionError with what it said when it fails and should not."""
    program = shutil.which("helm", path=path())
    assert program, "helm is neither in .tools/bin nor in PATH: make chart-tools"
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"helm {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done


@dataclass(frozen=True)
class Release:
    """One installation of the chart with the values for kind, and more of them."""

    name: str
    namespace: str

    @property
    def fullname(self) -> str:
        """What the names of its objects begin with."""
        return f"{self.name}-{CHART.name}"

    def install(self, *values: str, wait: bool = True) -> None:
        """Installs it; `values` are as for --set."""
        self._apply("install", *values, wait=wait)

    def upgrade(self, *values: str) -> None:
        """Upgrades it to the values for kind and these."""
        self._apply("upgrade", *values, wait=True)

    def test(self) -> None:
        """The chart's own tests."""
        helm("test", self.name, "-n", self.namespace, "--timeout", TIMEOUT)

    def uninstall(self) -> None:
        """Removes it and waits."""
        helm("uninstall", self.name, "-n", self.namespace, "--wait")

    def _apply(self, verb: str, *values: str, wait: bool) -> None:
        options = [word for value in values for word in ("--set", value)]
        if wait:
            options += ["--wait", "--timeout", TIMEOUT]
        place = ("-n", self.namespace, "-f", str(KIND_VALUES))
        helm(verb, self.name, str(CHART), *place, *options)
