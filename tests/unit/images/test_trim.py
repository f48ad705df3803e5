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
onnxruntime/transformers/models/it.data onnxruntime/capi/libonnxruntime.so.1.32.0
it/module.py it-1.0.dist-info/RECORD
cffi/api.data cffi-2.1.dist-info/METADATA jsonschema_specifications/it.json
""".split()
STAYS = """
it/module.pyc it/tests.pyc
numpy/__init__.pyc numpy/ma/core.pyc anthropic/py.typed it/data.json
onnxruntime/capi/onnxruntime_pybind11_state.so it-1.0.dist-info/METADATA
_cffi_backend.abi3.so
""".split()
# What goes unless the package that opens it is there.
OPENED = {
    "pymilvus": ["google/protobuf/it.data", "protobuf-7.0.dist-info/METADATA"],
    "pandas": ["numpy/random/it.data", "numpy/testing/it.data"],
}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "lib" / "python3.13" / "site-packages"
    sources = [name.replace(".pyc", ".py") for name in STAYS]
    for name in [*GOES, *sources, *OPENED["pymilvus"], *OPENED["pandas"]]:
        write(folder / name, "text")
    return folder


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def trim(venv: Path) -> None:
    subprocess.run([sys.executable, ROOT / "services" / "trim.py", venv], check=True)


def run(packages: Path, script: str) -> list[str]:
    """The words that a script writes where only these packages are."""
    ended = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.split()


def test_it_takes_what_nobody_opens(tmp_path: Path, packages: Path) -> None:
    trim(tmp_path)
    assert [name for name in GOES if (packages / name).exists()] == []
    assert [name for name in STAYS if not (packages / name).exists()] == []


@pytest.mark.parametrize("user", OPENED)
def test_it_leaves_what_another_package_opens(
    tmp_path: Path, packages: Path, user: str
) -> None:
    write(packages / user / "__init__.py", "")
    trim(tmp_path)
    for package, names in OPENED.items():
        for name in names:
            assert (packages / name).exists() is (package == user)


def test_what_several_open_stays_for_each(tmp_path: Path, packages: Path) -> None:
    write(packages / "opentelemetry" / "exporter" / "it.py", "")
    trim(tmp_path)
    assert [name for name in OPENED["pymilvus"] if not (packages / name).exists()] == []


def test_bytecode_lacks_docstrings_and_nothing_else(
    tmp_path: Path, packages: Path
) -> None:
    write(packages / "documented.py", DOCUMENTED)
    write(packages / "numpy" / "_core" / "numeric.py", DOCUMENTED)
    trim(tmp_path)
    assert b"unseen" not in (packages / "documented.pyc").read_bytes()
    assert b"unseen" in (packages / "numpy" / "_core" / "numeric.pyc").read_bytes()
    assert run(packages, READ) == ["None"] * 4 + ["kept", "asserted", "10"]


DOCUMENTED = '''"""unseen"""
from __future__ import annotations

class Documented:
    """unseen"""
    """unseen as well"""
    def only(self) -> NotThere:
        """unseen"""

async def function(value: int) -> str:
    """unseen"""
    assert value, "asserted"
    return "kept"
'''
READ = """
import asyncio, documented as it
print(it.__doc__, it.Documented.__doc__, it.Documented.only.__doc__)
print(it.Documented().only())
print(asyncio.run(it.function(1)))
try:
    asyncio.run(it.function(0))
except AssertionError as error:
    print(error)
print(it.function.__code__.co_firstlineno)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="images are built on Linux")
def test_a_trimmed_library_still_works(tmp_path: Path, packages: Path) -> None:
    source = Path(uvloop.__file__).parent
    shutil.copytree(source, packages / "uvloop")
    trim(tmp_path)
    [library] = (packages / "uvloop").glob("loop*.so")
    assert library.stat().st_size < (source / library.name).stat().st_size / 2
    assert run(packages, RUN_LOOP) == [str(library), "ended"]


RUN_LOOP = """
import asyncio, uvloop.loop
print(uvloop.loop.__file__)
print(uvloop.run(asyncio.sleep(0, "ended")))
"""
