"""The committed documents are those the services make, and hold under fuzzing."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.mind import SERVICES, Mind, running_mind

ROOT = Path(__file__).parents[2]
EXAMPLES = 25
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.mark.parametrize("name", SERVICES)
def test_the_committed_document_is_current(name: str) -> None:
    made = subprocess.run(
        [Path(sys.executable).parent / name, "openapi"], capture_output=True, check=True
    )
    committed = (ROOT / "services" / name / "openapi.json").read_bytes()
    assert made.stdout == committed, "run `make openapi`"


@pytest_asyncio.fixture(scope="module")
async def fuzzed() -> AsyncIterator[Mind]:
    """A mind for nobody else: what is called may well be the end of its agents."""
    async with running_mind(STREAMS_ENABLED="false") as mind:
        yield mind


@pytest.mark.parametrize("name", SERVICES)
def test_fuzzing_finds_no_5xx_and_no_undocumented_status(
    fuzzed: Mind, name: str
) -> None:
    found = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            ROOT / "services" / name / "openapi.json",
            f"--url={fuzzed.service(name)}",
            f"--checks={','.join(CHECKS)}",
            "--phases=examples,coverage,fuzzing",
            f"--max-examples={EXAMPLES}",
            "--exclude-path-regex=/live$",
            "--seed=1",
            "--request-timeout=20",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        cwd=fuzzed.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract.ndjson",
        },
        timeout=280,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
