"""`make bench`: measures on this machine and prints target, measured, ratio."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure  # noqa: E402
from benchmarks.scenarios import (  # noqa: E402
    cluster,
    coherence,
    freshness,
    idle,
    live,
    memory,
    peers,
    requests,
    safety,
    scheduler,
    start,
    thinking,
)

Scenario = Callable[[argparse.Namespace], Awaitable[list[Figure]]]

# Those of a plain run.
SHORT: dict[str, Scenario] = {
    "start": lambda _: start.measure(),
    "requests": lambda _: requests.measure(),
    "idle": lambda _: idle.measure(),
}
# Those that need a cluster, or an hour.
BY_NAME: dict[str, Scenario] = {
    "cluster": lambda _: cluster.measure(),
    "memory": lambda given: memory.measure(given.memories),
    "peers": lambda given: peers.measure(given.peer_memories),
    "freshness": lambda given: freshness.measure(given.writes),
    "safety": lambda _: safety.measure(),
    "scheduler": lambda _: scheduler.measure(),
    "live": lambda _: live.measure(),
    "coherence": lambda given: coherence.measure(given.hours),
    "thinking": lambda _: thinking.measure(),
}
SCENARIOS = SHORT | BY_NAME


async def _measure(names: list[str], given: argparse.Namespace) -> list[Figure]:
    figures = []
    for name in names:
        print(f"measuring: {name}", file=sys.stderr)
        figures += await SCENARIOS[name](given)
    return figures


def _table(figures: list[Figure]) -> str:
    lines = [
        "| what | target | measured | ratio | | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        lines.append(
            f"| {figure.name} | {sign} {figure.target:g} {figure.unit} "
            f"| {_shown(figure.measured)} {figure.unit} | {_shown(figure.ratio)} "
            f"| {'' if figure.reached else 'missed'} | {figure.note} |"
        )
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _write(figures: list[Figure], named: list[str]) -> Path:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    now = datetime.now(UTC)
    result = {
        "measured_at": now.isoformat(timespec="seconds"),
        "commit": commit,
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "system": platform.platform(terse=True),
            "python": platform.python_version(),
        },
        "figures": [asdict(f) | {"ratio": f.ratio} for f in figures],
    }
    # Figures of a scenario by its name do not take the place of the commit's others.
    parts = [f"{now:%Y-%m-%d}", commit or "none", *named]
    file = ROOT / "benchmarks" / "results" / f"{'-'.join(parts)}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")
    return file


def main() -> None:
    """Runs the scenarios named; without a name those that are short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []])
    add = parser.add_argument
    add("--memories", type=int, default=1_000_000, help="of `memory`")
    add("--peer-memories", type=int, default=100_000, help="of `peers`")
    add("--hours", type=int, default=24, help="of `coherence`")
    add("--writes", type=int, default=1_000_000, help="of `freshness`")
    given = parser.parse_args()
    named = given.scenario
    names = named or list(SHORT)
    if "cluster" in names and not os.environ.get("KUBECONFIG"):
        parser.error("cluster: set KUBECONFIG")
    os.chdir(ROOT)
    figures = asyncio.run(_measure(names, given))
    print(_table(figures))
    print(f"\nwritten to {_write(figures, named).relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
