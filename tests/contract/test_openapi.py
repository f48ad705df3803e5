"""The committed documents are those the services make, and hold under fuzzing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.mind import SERVICES, Mind

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


@pytest.mark.parametrize("name", SERVICES)
def test_fuzzing_finds_no_5xx_and_no_undocumented_status(
    quiet_mind: Mind, name: str
) -> None:
    found = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            ROOT / "services" / name / "openapi.json",
            f"--url={quiet_mind.service(name)}",
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
        cwd=quiet_mind.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract.ndjson",
        },
        timeout=280,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
