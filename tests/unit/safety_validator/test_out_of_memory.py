"""A process that may not grow any more gives no verdict, and goes on when it may."""

import subprocess
import sys

# A child, since the limit is of a process: it says what each of its texts met.
CHILD = '''
import asyncio
import resource
from pathlib import Path

from contracts.safety import MAX_CONTENT_CHARS
from safety_validator.domain.chain import Seals
from safety_validator.domain.decision_log import DecisionLog
from safety_validator.domain.in_force import PolicyInForce
from safety_validator.domain.policy import open_policy
from safety_validator.domain.validator import Keys, Validator
from safety_validator.errors import OutOfMemory
from safety_validator.models import Submission
from tests.unit.safety_validator.table import Table

BLOCK_BYTES = 2**18


def fill():
    """Takes all there is, but for small pieces."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    blocks = []
    try:
        while True:
            blocks.append(bytearray(BLOCK_BYTES))
    except MemoryError:
        return blocks


async def main():
    policy = PolicyInForce(*open_policy(b'version: "1"'))
    log = DecisionLog(Table(), Seals(None))
    validator = Validator(policy, log, Keys(None, b"key"))

    async def ask(content):
        try:
            (ruling,) = await validator.validate(
                [Submission(content, "thought", "default", None)]
            )
        except OutOfMemory as error:
            print(error.status)
        else:
            print(ruling.judgement.verdict)
            await log.flush()

    # Each letter is written anew, which takes as much as the text itself.
    long = ("\\uff54\\uff45\\uff41 " * MAX_CONTENT_CHARS)[:MAX_CONTENT_CHARS]
    await ask("tea " * 10_000)
    blocks = fill()
    await ask(long)
    blocks.clear()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    await ask("tea " * 10_000)
    print(len(log._store.rows))
    validator.close()


asyncio.run(main())
'''


def test_out_of_memory_is_no_verdict() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "policy in force" not in line]
    assert said == ["allow", "503", "allow", "2"]
