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
from benchmarks.scenarios import cluster, idle, requests, start  # noqa: E402

SCENARIOS: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    "start": start.measure,
    "requests": requests.measure,
    "idle": idle.measure,
    "cluster": cluster.measure,
}


async def _measure(names: list[str]) -> list[Figure]:
    figures = []
    for name in names:
        print(f"measuring: {name}", file=sys.stderr)
        figures += await SCENARIOS[name]()
    return figures


def _table(figures: list[Figure]) -> str:
    lines = [
        "| what | target | measured | ratio | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        lines.append(
            f"| {figure.name} | {sign} {figure.target:g} {figure.unit} "
            f"| {figure.measured:.2f} {figure.unit} | {figure.ratio:.2f} "
            f"| {'' if figure.reached else 'missed'} |"
        )
    return "\n".join(lines)


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
        "figures": [asdict(f) | {"ratio": round(f.ratio, 3)} for f in figures],
    }
    # Figures of a scenario by its name do not take the place of the commit's others.
    parts = [f"{now:%Y-%m-%d}", commit or "none", *named]
    file = ROOT / "benchmarks" / "results" / f"{'-'.join(parts)}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")
    return file


def main() -> None:
    """Runs the scenarios named; without a name all that need no cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []])
    named = parser.parse_args().scenario
    names = named or [each for each in SCENARIOS if each != "cluster"]
    if "cluster" in names and not os.environ.get("KUBECONFIG"):
        parser.error("cluster: set KUBECONFIG")
    os.chdir(ROOT)
    figures = asyncio.run(_measure(names))
    print(_table(figures))
    print(f"\nwritten to {_write(figures, named).relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
