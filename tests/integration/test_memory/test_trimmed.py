"""The service in a venv trimmed as in its image does what it does elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import httpx2
import numpy as np
import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from tests.integration.test_memory import replicas
from tests.integration.test_memory.replicas import (
    Caller,
    Process,
    SafetyServer,
    migrate,
    process,
)
from tests.support.vectors import make_vectors

import embedding
from memory_service.providers.vectors.part import FLAT_KIND, IVF_KIND

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements" / "memory-service.txt"
LOCKED = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)
SERVICE = """#!{python}
from memory_service.main import main
main()
"""
# With it the image keeps within the limit of docs/images.md; numpy for Python 3.11
# weighs 5 MB more than that in the image.
MOST_MB = 195

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="images are built on Linux"
)


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with the lock's packages from this one, trimmed, and the sources."""
    folder = tmp_path_factory.mktemp("image")
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in LOCKED.findall(LOCK.read_text()):
        copy(name, packages)
    program = ROOT / "services" / "trim.py"
    subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", str(program), str(folder)], check=True
    )
    return folder


def copy(name: str, packages: Path) -> None:
    """Copies a package's files, if this machine needs the package at all."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    for file in found.files or []:
        if ".." not in file.parts and file.suffix != ".pyc":
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(found.locate_file(file)), packages / file)


@pytest.fixture(scope="module")
def venv_size_mb(trimmed: Path) -> float:
    """Before this project's code comes into it."""
    files = (file for file in trimmed.rglob("*") if file.is_file())
    return sum(file.lstat().st_size for file in files) / 1e6


@pytest.fixture(scope="module")
def program(trimmed: Path, venv_size_mb: float) -> Path:
    """The command of the service, with the model where it looks for it."""
    [packages] = trimmed.glob("lib/python*/site-packages")
    sources = sorted(str(path) for path in ROOT.glob("services/*/src"))
    (packages / "sources.pth").write_text("\n".join(sources))
    model = trimmed / "share" / "claude-agi" / embedding.MODEL_NAME
    model.parent.mkdir(parents=True)
    model.symlink_to(embedding.default_folder())
    file = trimmed / "bin" / "memory-service"
    file.write_text(SERVICE.format(python=trimmed / "bin" / "python"))
    file.chmod(0o755)
    return file


@pytest_asyncio.fixture(scope="module")
async def running(
    program: Path, memory_dsn: str, safety_server: SafetyServer
) -> AsyncIterator[Process]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replicas, "PROGRAM", program)
        await migrate(memory_dsn)
        async with process(memory_dsn, SAFETY_URL=safety_server.address) as service:
            yield service


def run(program: Path, script: str, *arguments: str | Path) -> str:
    """What a script writes there."""
    done = subprocess.run(
        [program.parent / "python", "-c", script, *arguments],
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_small(venv_size_mb: float) -> None:
    assert venv_size_mb < MOST_MB


def test_its_document_is_the_committed_one(program: Path) -> None:
    made = subprocess.run([program, "openapi"], capture_output=True, check=True)
    committed = ROOT / "services" / "memory-service" / "openapi.json"
    assert made.stdout == committed.read_bytes()


def test_all_that_it_may_import_is_there(program: Path) -> None:
    names = "memory_service servicekit embedding contracts"
    imported = run(program, IMPORT_ALL, *names.split()).split()
    assert {"memory_service.routes.mcp", "servicekit.migrations"} <= set(imported)


IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        # The model is built elsewhere.
        if not module.name.startswith("embedding.build"):
            print(importlib.import_module(module.name).__name__)
"""


async def test_what_is_told_is_recalled(running: Process, agent: str) -> None:
    async with running.client() as http:
        ada = Caller(http, agent)
        await ada.tell("Ada keeps bees behind the old mill")
        kept = await ada.tell("The ferry to Bergen leaves at noon")
        found = await ada.recall("When does the boat go?", kept["seq"], limit=1)
        assert [memory["id"] for memory in found] == [kept["id"]]


async def test_a_model_finds_its_tools(running: Process, agent: str) -> None:
    url = f"http://127.0.0.1:{running.port}/mcp"
    async with (
        httpx2.AsyncClient(timeout=20) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        offered = (await client.list_tools()).tools
        assert all(tool.description for tool in offered)
        told = {"agent_id": agent, "content": "Ada keeps bees"}
        assert not await fails(client, "remember", told)
        assert await fails(client, "remember", {"agent_id": agent})


async def fails(client: Client, tool: str, arguments: dict[str, str]) -> bool:
    """Whether a call is answered by an error."""
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer, CallToolResult)
    return answer.is_error


def test_flat_and_compact_indexes_find(program: Path, tmp_path: Path) -> None:
    file = tmp_path / "vectors.npy"
    np.save(file, make_vectors(4100))
    found = json.loads(run(program, SEARCH, file))
    assert [kind for kind, _ in found] == [FLAT_KIND, IVF_KIND]
    assert [nearest for _, nearest in found] == [[1, 2, 3, 4, 5]] * 2


SEARCH = """
import json, sys
import numpy as np
from memory_service.models.vectors import Change, Part
from memory_service.providers.vectors import builds
from memory_service.providers.vectors.agent import AgentVectors

builds.MAX_FLAT = 4000
vectors = np.load(sys.argv[1])
index = AgentVectors("ada", "all-MiniLM-L6-v2")
packed = [vector.astype("<f2").tobytes() for vector in vectors]
index.apply([Change(seq, Part.FACTS, one) for seq, one in enumerate(packed, 1)])

def search():
    return index.kind, [next(iter(index.search(v, 1))) for v in vectors[:5]]

flat = search()
due = index.due()
due.run()
index.finish(due)
print(json.dumps([flat, search()]))
"""


def test_masked_arrays_can_be_made(program: Path) -> None:
    # numpy.unique asks numpy.ma, which reads docstrings when it is imported.
    assert run(program, "import numpy; print(numpy.unique([2, 1, 2]))") == "[1 2]\n"
