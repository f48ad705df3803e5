"""A trimmed venv has what runs and lacks what does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop
from tests.unit.images.workspace import ROOT

GOES = """
numpy/tests/test_it.py numpy/ma/tests/deep/data.bin numpy/f2py/rules.py
numpy/__init__.pyi aiohttp/_parser.pyx aiohttp/_parser.pxd it/it.c it/it.h
onnxruntime/transformers/models/it.py onnxruntime/capi/libonnxruntime.so.1.32.0
it/compiled.py
""".split()
STAYS = """
it/compiled.pyc
numpy/__init__.py numpy/testing/__init__.py anthropic/py.typed it/tests.py it/data.json
onnxruntime/capi/onnxruntime_pybind11_state.so it-1.0.dist-info/METADATA
""".split()


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "lib" / "python3.13" / "site-packages"
    for name in [*GOES, *STAYS]:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("text")
    return folder


def trim(venv: Path) -> None:
    subprocess.run([sys.executable, ROOT / "services" / "trim.py", venv], check=True)


def test_it_takes_what_nobody_opens(tmp_path: Path, packages: Path) -> None:
    trim(tmp_path)
    assert [name for name in GOES if (packages / name).exists()] == []
    assert [name for name in STAYS if not (packages / name).exists()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="images are built on Linux")
def test_a_trimmed_library_still_works(tmp_path: Path, packages: Path) -> None:
    source = Path(uvloop.__file__).parent
    shutil.copytree(source, packages / "uvloop")
    trim(tmp_path)
    [library] = (packages / "uvloop").glob("loop*.so")
    assert library.stat().st_size < (source / library.name).stat().st_size / 2
    ended = subprocess.run(
        [sys.executable, "-S", "-c", RUN_LOOP],
        env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == [str(library), "ended"]


RUN_LOOP = """
import asyncio, uvloop.loop
print(uvloop.loop.__file__)
print(uvloop.run(asyncio.sleep(0, "ended")))
"""
