"""Environments of their own for what a benchmark measures beside ours."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.corpus import cache_folder, say


def environment(name: str, requirements: Path) -> Path:
    """The interpreter of one with those packages, made where it is missing."""
    folder = cache_folder() / name
    python, kept = folder / "bin" / "python", folder / requirements.name
    wanted = requirements.read_text()
    if not kept.exists() or kept.read_text() != wanted:
        say(f"installing {name}")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-r", str(requirements)], check=True)
        kept.write_text(wanted)
    return python
