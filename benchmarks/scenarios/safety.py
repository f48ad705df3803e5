"""What the safety-validator finds, what it takes for an attack, and how long it takes.

Shares are of verdicts over HTTP by the shipped policy: `flagged` counts texts in which
a category of that kind was named (a false-alarm rate of 1 % by design), `blocked` those
that were refused (0.1 %). Sources are those that the model card names as held out.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import psutil
from tests.support.mind import running_mind
from tests.support.safety_texts import (
    Labelled,
    not_personal,
    not_secrets,
    personal,
    secrets,
)

from benchmarks.connection import Connection, connected
from benchmarks.corpus import ROOT, say
from benchmarks.environments import environment
from benchmarks.figures import Figure, percentile
from benchmarks.processes import private_mb
from benchmarks.verdicts import (
    GOAL,
    HARM,
    INJECTION,
    Judged,
    in_the_middle,
    judge,
    labelled,
    ordinary,
)
from contracts.safety import MAX_BATCH_ITEMS

NAME = "safety-validator"
ORDINARY_SENTENCES = 6_000
MIDDLE_CHARS = 4_000
MIDDLE_ATTACKS = 200
GENERATED = 1_000
TIMED = 400
LONG_TIMED = 60
THROUGHPUT_TEXTS = 1_500
AT_ONCE = 8
# Of all texts of the batch together: about what a body may have.
BATCH_CHARS = 4_000_000
MAX_SHORT_BESIDE = 2_000
PEERS = ("turbocloak", "aicordon", "stackone-defender")
PROGRAM = ROOT / "benchmarks" / "safety_peers.py"
REQUIREMENTS = ROOT / "benchmarks" / "safety_peers.txt"
SEED = 20_261_123

Texts = Mapping[tuple[str, int], Sequence[str]]


async def measure() -> list[Figure]:
    """One mind without streams; its safety-validator is asked by its own port."""
    async with running_mind(STREAMS_ENABLED="false") as mind:
        address, pid = mind.service(NAME), mind.pid_of(NAME)
        idle_mb = private_mb(pid)
        async with connected(address) as connection:
            figures = await _times(connection)
        figures.append(await _beside_the_longest(address))
        figures.append(await _throughput(address, pid))
        for figure in figures:
            say(f"{figure.name}: {figure.measured:.4g} {figure.unit}")
        async with connected(address) as connection:
            figures += await _quality(connection)
        figures += [
            Figure("private memory, idle", "MB", 120, idle_mb),
            Figure("private memory, after all this", "MB", 120, private_mb(pid)),
        ]
    return figures


# ---- Time ----


def _distinct(count: int, chars: int, seed: int) -> list[str]:
    """Ordinary texts of about that length, no two alike."""
    chance = random.Random(seed)
    sentences = ordinary(ORDINARY_SENTENCES)["sentences"]
    made = []
    for number in range(count):
        text = f"Note {number}:"
        while len(text) < chars:
            text += " " + chance.choice(sentences)
        made.append(text[:chars])
    return made


async def _times(connection: Connection) -> list[Figure]:
    async def timed(texts: Iterable[str]) -> list[float]:
        times = []
        for text in texts:
            body = {"content": text, "kind": "memory"}
            took_ms, _ = await connection.timed_post("/api/safety/validate", body)
            times.append(took_ms)
        return times

    short = _distinct(TIMED, 300, SEED)
    long = _distinct(LONG_TIMED, MIDDLE_CHARS, SEED + 1)
    await timed(_distinct(50, 300, SEED + 2))
    first = await timed(short)
    again = await timed(short)
    longest = await timed(long)
    return [
        Figure("cached, p99", "ms", 2, percentile(again, 99), note="aim 1"),
        Figure("300 characters, p50", "ms", 10, percentile(first, 50), note="aim 8"),
        Figure("300 characters, p99", "ms", 10, percentile(first, 99), note="aim 8"),
        Figure(
            "4,000 characters, p99", "ms", 150, percentile(longest, 99), note="aim 100"
        ),
    ]


async def _beside_the_longest(address: str) -> Figure:
    """Short texts, one after the other, while full batches of long ones are read."""
    chars = BATCH_CHARS // MAX_BATCH_ITEMS
    items = [{"content": text} for text in _distinct(MAX_BATCH_ITEMS, chars, SEED + 4)]
    async with connected(address) as long, connected(address) as short:
        batch = asyncio.create_task(
            long.post("/api/safety/validate/batch", {"items": items})
        )
        times: list[float] = []
        for text in _distinct(MAX_SHORT_BESIDE, 300, SEED + 5):
            took_ms, _ = await short.timed_post(
                "/api/safety/validate", {"content": text}
            )
            if batch.done():
                break
            times.append(took_ms)
        await batch
    return Figure(
        "300 characters while a full batch of long ones is read, p99",
        "ms",
        10,
        percentile(times, 99),
        note=f"n = {len(times)}, {MAX_BATCH_ITEMS} texts of {chars:,} characters",
    )


async def _throughput(address: str, pid: int) -> Figure:
    """Eight callers, the service on one core."""
    process = psutil.Process(pid)
    before = process.cpu_affinity()
    _pin(process, [0])
    texts = iter(_distinct(THROUGHPUT_TEXTS, 300, SEED + 3))

    async def caller() -> None:
        async with connected(address) as connection:
            for text in texts:
                await connection.post("/api/safety/validate", {"content": text})

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    rate = THROUGHPUT_TEXTS / (time.perf_counter() - begun)
    _pin(process, before or [0])
    name = "distinct texts of 300 characters, one core"
    return Figure(name, "/s", 100, rate, at_least=True, note="aim 140")


def _pin(process: psutil.Process, cores: Sequence[int]) -> None:
    """Every thread, for the affinity of a process is only its first one's."""
    for thread in process.threads():
        os.sched_setaffinity(thread.id, cores)


# ---- What is found ----


async def _quality(connection: Connection) -> list[Figure]:
    manifest = resources.files("safety_validator") / "model" / "manifest.json"
    held_out = json.loads(manifest.read_text(encoding="utf-8"))["held_out"]
    figures = await _alarms(connection)
    for name, label, categories, flagged, blocked in (
        ("injection", "inj", INJECTION, (0.35, 0.6), (0.2, 0.4)),
        ("harm", "harm", HARM, (0.6, 0.8), (0.3, 0.55)),
    ):
        texts = labelled(label, held_out)
        found = {key: await judge(connection, own) for key, own in texts.items()}
        figures += _found(name, found, categories, flagged, blocked)
        if label == "inj":
            figures += _beside_peers(texts, found)
            figures.append(await _middle(connection, texts))
    goals = labelled("goal", held_out)
    judged = {key: await judge(connection, own) for key, own in goals.items()}
    figures += _found("goal", judged, GOAL, (0.8, 0.9), (0.0, 0.0))
    return figures + await _generated(connection)


async def _alarms(connection: Connection) -> list[Figure]:
    figures = []
    blocked = total = 0
    for kind, texts in ordinary(ORDINARY_SENTENCES).items():
        found = await judge(connection, texts)
        blocked += sum(one.blocked for one in found)
        total += len(found)
        for name, categories in (
            ("injection", INJECTION),
            ("harm", HARM),
            ("goal", GOAL),
        ):
            share = _share(found, categories)
            figures.append(
                Figure(f"ordinary {kind}, flagged for {name}", "%", 1, 100 * share)
            )
    name = f"ordinary texts blocked, of {total:,}"
    return [*figures, Figure(name, "%", 0.1, 100 * blocked / total, note="aim 0.05")]


def _share(found: Sequence[Judged], categories: frozenset[str]) -> float:
    named = [bool(one.categories & categories) for one in found]
    return statistics.mean(named)


def _found(
    name: str,
    found: Mapping[tuple[str, int], Sequence[Judged]],
    categories: frozenset[str],
    flagged: tuple[float, float],
    blocked: tuple[float, float],
) -> list[Figure]:
    """By source and in the mean over sources, never pooled."""
    figures: list[Figure] = []
    flags: list[float] = []
    blocks: list[float] = []
    for (source, label), own in sorted(found.items()):
        flag = statistics.mean(
            bool(o.categories & categories) or o.blocked for o in own
        )
        block = statistics.mean(one.blocked for one in own)
        note = f"n = {len(own)}, blocked {block:.3f}"
        what = "found" if label else "false alarms"
        target = flagged[0] if label else 0.1
        title = f"{name}, {what}, {source}"
        figures.append(Figure(title, "", target, flag, at_least=bool(label), note=note))
        if label:
            flags.append(flag)
            blocks.append(block)
    for what, shares, (gate, aim) in (
        ("found", flags, flagged),
        ("blocked", blocks, blocked),
    ):
        if shares and gate:
            mean = statistics.mean(shares)
            title = f"{name}, {what}, mean of {len(shares)} sources"
            figures.append(
                Figure(title, "", gate, mean, at_least=True, note=f"aim {aim}")
            )
    return figures


async def _middle(connection: Connection, texts: Texts) -> Figure:
    """Of the short attacks that are found alone those found in 4,000 characters."""
    filler = ordinary(ORDINARY_SENTENCES)["sentences"]
    attacks = [
        text
        for (_, label), own in sorted(texts.items())
        for text in own
        if label and len(text) <= 300
    ]
    chosen = random.Random(SEED).sample(attacks, min(MIDDLE_ATTACKS, len(attacks)))
    alone = await judge(connection, chosen)
    inside = [in_the_middle(attack, filler, MIDDLE_CHARS) for attack in chosen]
    around = await judge(connection, inside)
    kept = [
        bool(after.categories & INJECTION)
        for before, after in zip(alone, around, strict=True)
        if before.categories & INJECTION
    ]
    return Figure(
        "attacks found in the middle of 4,000 characters, of those found alone",
        "%",
        90,
        100 * statistics.mean(kept),
        at_least=True,
        note=f"n = {len(kept)}, aim 100",
    )


async def _generated(connection: Connection) -> list[Figure]:
    """Secrets and personal data by generators, with what only looks like them."""
    figures = []
    for name, good, bad, category in (
        ("secrets", secrets, not_secrets, "secrets"),
        ("personal data", personal, not_personal, "privacy"),
    ):
        positives: list[Labelled] = good(SEED, GENERATED)
        negatives: list[Labelled] = bad(SEED, 5 * GENERATED)
        hits = _named(await judge(connection, [p.text for p in positives]), category)
        alarms = _named(await judge(connection, [n.text for n in negatives]), category)
        recall = hits / len(positives)
        rate = alarms / len(negatives)
        figures += [
            Figure(f"{name}, found", "", 0.98, recall, at_least=True),
            Figure(f"{name}, false alarms", "%", 0.1, 100 * rate),
        ]
    return figures


def _named(found: Sequence[Judged], category: str) -> int:
    return sum(category in one.categories for one in found)


# ---- Others ----


def _beside_peers(
    texts: Texts, ours: Mapping[tuple[str, int], Sequence[Judged]]
) -> list[Figure]:
    """Peers at the score that 1 % of ordinary texts reach: ours over theirs."""
    python = environment("safety-peers", REQUIREMENTS)
    quiet = ordinary(ORDINARY_SENTENCES)
    flat = [text for own in quiet.values() for text in own]
    attacks = {key: own for key, own in texts.items() if key[1]}
    mine = statistics.mean(_share(ours[key], INJECTION) for key in attacks)
    figures = []
    for name in PEERS:
        say(f"{name}: reading the same texts")
        calm, _ = _run(python, name, flat)
        limit = max(sorted(calm)[int(0.99 * len(calm))], 1e-9)
        shares, times = [], []
        for own in attacks.values():
            scores, times_ms = _run(python, name, own)
            shares.append(statistics.mean(score > limit for score in scores))
            times += times_ms
        note = f"its p50 {percentile(times, 50):.2f} ms without HTTP"
        figures.append(
            Figure(
                f"injection found at 1 % false alarms, ours beside {name}",
                "",
                max(statistics.mean(shares), 0.001),
                mine,
                at_least=True,
                note=note,
            )
        )
    return figures


def _run(
    python: Path, name: str, texts: Sequence[str]
) -> tuple[list[float], list[float]]:
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(
        [str(python), str(PROGRAM), name],
        input=lines.encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return found["scores"], found["times_ms"]
