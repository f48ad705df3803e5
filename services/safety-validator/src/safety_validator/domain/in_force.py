"""The policy in force: one at a time, changed while requests run."""

import asyncio
import math
import sys
import time
from pathlib import Path

import structlog

from safety_validator.domain.judge import Judge
from safety_validator.domain.policy import open_policy
from safety_validator.errors import PolicyRefused
from safety_validator.metrics import POLICY, POLICY_LOADED_SECONDS, POLICY_REFUSED
from safety_validator.models import RuleSet

__all__ = ["PolicyFollower", "PolicyInForce"]

# A changed file is in force about so much later; a look costs a stat.
LOOK_S = 1.0
# It limits its own CPU time; on a machine that gives it none it ends here.
PROOF_TIMEOUT_S = 60.0
# What was refused may have lacked no more than memory to be proved in.
RETRY_S = 60.0
# What the proof says of a policy that fails; its last line is the reason.
_REASON_CHARS = 500

log = structlog.get_logger()

# What tells one state of a file from another; a ConfigMap's update changes the inode.
_State = tuple[int, int, int] | None


class PolicyInForce:
    """The policy and its judge, which belong together and change together."""

    def __init__(self, policy: RuleSet, judge: Judge) -> None:
        self._current = policy, judge
        self.enforce(policy, judge)

    @property
    def current(self) -> tuple[RuleSet, Judge]:
        """Both at once: what begins under one policy ends under it."""
        return self._current

    def enforce(self, policy: RuleSet, judge: Judge) -> None:
        """From now on this policy."""
        self._current = policy, judge
        POLICY_REFUSED.set(0)
        POLICY.clear()
        POLICY.labels(policy.version).set(1)
        POLICY_LOADED_SECONDS.set(time.time())


class PolicyFollower:
    """Keeps the policy of a file in force, whatever becomes of the file."""

    def __init__(self, file: Path) -> None:
        """Raises PolicyRefused; a process does not start without a policy."""
        self._file = file
        self._seen = _state(file)
        self._raw = _read(file)
        self.in_force = PolicyInForce(*open_policy(self._raw))

    async def follow(self) -> None:
        """Puts each new text of the file in force, until cancelled."""
        self._tell()
        retry_s = math.inf
        while True:
            await asyncio.sleep(LOOK_S)
            state = await asyncio.to_thread(_state, self._file)
            if state == self._seen and time.monotonic() < retry_s:
                continue
            retry_s = math.inf
            self._seen = state
            try:
                await self._renew()
            except PolicyRefused as error:
                retry_s = time.monotonic() + RETRY_S
                POLICY_REFUSED.set(1)
                version = self.in_force.current[0].version
                log.critical("policy refused", reason=str(error), in_force=version)

    async def _renew(self) -> None:
        raw = await asyncio.to_thread(_read, self._file)
        if raw == self._raw:
            opened = self.in_force.current
        else:
            await _prove(raw)
            opened = await asyncio.to_thread(open_policy, raw)
        self._raw = raw
        self.in_force.enforce(*opened)
        self._tell()

    def _tell(self) -> None:
        log.info("policy in force", version=self.in_force.current[0].version)


def _state(file: Path) -> _State:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise PolicyRefused(f"cannot be read: {error}") from error


async def _prove(raw: bytes) -> None:
    """Opens the policy in a process of its own, which may hang or run out of memory.

    An expression that never ends would hold the interpreter, and with it every verdict.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "safety_validator.policy_test", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PROOF_TIMEOUT_S):
            _, said = await process.communicate(raw)
    except TimeoutError:
        raise PolicyRefused(f"not proved within {PROOF_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        reason = "".join(last)[:_REASON_CHARS]
        raise PolicyRefused(reason or f"its proof ended with {process.returncode}")
