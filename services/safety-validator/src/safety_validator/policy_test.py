"""`python -m safety_validator.policy_test [FILE]` proves a policy, rule by rule.

A file of `-` is read from standard input. With `--schema` it prints the JSON Schema of
policy files instead. It ends with 1 and the reason where the policy is refused.
"""

import argparse
import math
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from safety_validator.domain.core import default_policy
from safety_validator.domain.judge import MAX_REGION_CHARS, Judge
from safety_validator.domain.policy import open_policy
from safety_validator.domain.policy_file import json_schema
from safety_validator.errors import PolicyRefused
from safety_validator.models import Rule

__all__ = ["main"]

# To open it, of which the shipped policy takes two seconds, and to read long texts,
# of which it takes a fifth of one. A slow machine must not refuse what holds.
MAX_OPEN_S = 10
MAX_LONG_S = 3


def main() -> None:
    """The command line."""
    arguments = _arguments()
    if arguments.schema:
        sys.stdout.write(json_schema())
        return
    try:
        _limit(MAX_OPEN_S)
        policy, judge = open_policy(_read(arguments.file))
        _limit(MAX_LONG_S)
        for rule in policy.rules:
            _try_long(judge, rule)
    except TimeoutError:
        sys.exit(f"the policy is refused: not opened within {MAX_OPEN_S} s of CPU")
    except (OSError, PolicyRefused) as error:
        sys.exit(f"the policy is refused: {error}")
    lines = [*map(_line, policy.rules), f"{policy.version}: every rule holds"]
    sys.stdout.write("\n".join(lines) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="policy-test")
    parser.add_argument("file", nargs="?", help="the shipped policy where none is said")
    parser.add_argument("--schema", action="store_true")
    return parser.parse_args()


def _read(file: str | None) -> bytes:
    if file is None:
        return default_policy()
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _limit(more_s: int) -> None:
    """TimeoutError after so much more CPU time, in the midst of a search too."""

    def give_up(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError

    signal.signal(signal.SIGXCPU, give_up)
    # What does not heed it, such as a compiler, is ended some seconds later.
    soft_s = math.ceil(time.process_time()) + more_s
    _, hard_s = resource.getrlimit(resource.RLIMIT_CPU)
    if hard_s == resource.RLIM_INFINITY:
        hard_s = soft_s + MAX_LONG_S + 1
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft_s, hard_s), hard_s))


def _try_long(judge: Judge, rule: Rule) -> None:
    """Has the rule search as much at once as it ever will, of what it nearly meets."""
    try:
        for sample in rule.must_match:
            for text in _long(sample):
                judge.judge(text)
    except TimeoutError:
        raise PolicyRefused(f"rule {rule.id}: takes too long on a long text") from None


def _long(sample: str) -> Iterator[str]:
    for piece in (sample, sample[:-1], sample[1:], sample[-1]):
        times = MAX_REGION_CHARS // (len(piece) or 1) + 1
        yield sample + piece * times


def _line(rule: Rule) -> str:
    texts = f"{len(rule.must_match)} met, {len(rule.must_not_match)} not"
    place = "core" if rule.core else ""
    return f"{rule.id:34} {rule.verdict:6} {place:4} {texts}"


if __name__ == "__main__":
    main()
