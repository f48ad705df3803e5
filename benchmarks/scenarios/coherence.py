"""C24-system over an accelerated day with faults, and what must fail."""

import asyncio
import statistics
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from benchmarks.coherence import (
    CELL_S,
    HOURS,
    Hour,
    Link,
    Pace,
    alive_score,
    continuity_score,
    count_cells,
    count_chains,
    lower_bound,
    recall_score,
    system_score,
)
from benchmarks.corpus import say
from benchmarks.day import AGENT, Day, forgetful_links, living_day, set_pace
from benchmarks.figures import Figure
from benchmarks.probes import Probes, until_answered
from contracts.agent import DEFAULT_STREAMS

# Five streams, a thought every 12.5 s each.
THOUGHTS_A_DAY = 34_560
THOUGHTS_AN_HOUR = THOUGHTS_A_DAY // HOURS
BEAT_S = 3600 * len(DEFAULT_STREAMS) / THOUGHTS_AN_HOUR
MODEL_OUT_S = 600.0
# A stream is taken over within the lease and a second; dozes are shorter.
LONGEST_SILENCE_S = 30.0
REACH = 0.999
# A control that reaches this shows that the score measures nothing.
CONTROL_BELOW = 0.95
NOTHING_KEPT = 0.1
# Of a mind that forgets all midway.
FORGETFUL_THOUGHTS = 400
# After a whole day; its thoughts are many.
CONSOLIDATED_WITHIN_S = 1_800.0
WITHOUT_TOMBSTONES = "DELETE FROM memory.tombstones WHERE agent_id = $1"
Times = dict[str, list[float]]


async def measure(hours: int) -> list[Figure]:
    """As many hours as wanted; all faults are met in each run."""
    async with living_day() as day:
        probes = Probes(day.client, AGENT)
        await probes.tell()
        await set_pace(day.client, enabled=True)
        lived = await _live(day, probes, hours)
        await set_pace(day.client, enabled=False)
        await _look_at_summaries(day, probes, lived[-1])
        figures = await _figures(day, lived)
        figures += await _recall_controls(day)
    return [*figures, await _restart_control()]


async def _live(day: Day, probes: Probes, hours: int) -> list[Hour]:
    """The hours, with what the probes found in each."""
    lived = [Hour() for _ in range(hours)]
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(day.observer.watch())
        suffering = group.create_task(day.suffer(hours * THOUGHTS_AN_HOUR))
        for number, hour in enumerate(lived):
            if number == hours // 2:
                await probes.change()
                await probes.feed_again()
            day.model.shown_at.clear()
            await probes.ask(hour)
            await day.observer.until((number + 1) * THOUGHTS_AN_HOUR)
            # Thoughts that were under way when it was forgotten are of that hour.
            if number > hours // 2:
                for name in probes.forgotten_names:
                    hour.clean.add(name not in day.model.shown_at)
            day.model.watched = probes.forgotten_names
            say(f"hour {number + 1}: {_shown(hour, day)}")
            for missed in probes.missed:
                say(f"missed: {missed}")
            probes.missed.clear()
        await suffering
        watching.cancel()
    return lived


def _shown(hour: Hour, day: Day) -> str:
    return (
        f"kept {hour.kept.good}/{hour.kept.all}, "
        f"clean {hour.clean.good}/{hour.clean.all}, "
        f"{len(day.model.shown_at)} forgotten names in prompts"
    )


async def _look_at_summaries(day: Day, probes: Probes, hour: Hour) -> None:
    """What is made of memories must not tell what was forgotten either."""
    body = {"agent_id": AGENT}
    answer = await until_answered(
        lambda: day.client.post("/api/memory/consolidate", json=body)
    )
    job = answer.raise_for_status().json()
    async with asyncio.timeout(CONSOLIDATED_WITHIN_S):
        while job["state"] in {"waiting", "running"}:
            await asyncio.sleep(0.5)
            found = await day.client.get(f"/api/memory/jobs/{job['id']}")
            job = found.raise_for_status().json()
    url = f"/api/memory/recent?agent_id={AGENT}&memory_type=semantic&limit=1000"
    found = await day.client.get(url)
    contents = [each["content"] for each in found.raise_for_status().json()["memories"]]
    say(f"consolidation {job['state']}: {len(contents)} summaries")
    for name in probes.forgotten_names:
        hour.clean.add(not any(name in content for content in contents))


async def _figures(day: Day, lived: list[Hour]) -> list[Figure]:
    standing = await day.observer.everything()
    seqs = THOUGHTS_AN_HOUR / len(DEFAULT_STREAMS)
    count_chains(day.observer.seen.values(), standing, lived, seqs)
    times = _times(standing)
    ends_s = max(each[-1] for each in times.values())
    count_cells(times, ends_s, _pace(times, day.outage), lived)
    begun_s = min(each[0] for each in times.values())
    cells = sum(hour.alive.all for hour in lived)
    dead = cells - sum(hour.alive.good for hour in lived)
    offline = sum(link.engine == "offline" for link in standing)
    wrong = sum(hour.chained.all - hour.chained.good for hour in lived)
    rate = len(standing) / (ends_s - begun_s)
    name = f"accelerated {len(lived)} h"
    return [
        _score(
            f"C24-system, {name}",
            system_score(lived),
            f"{len(standing):,} thoughts, {rate:.0f}/s; lower bound of a 95 % "
            f"bootstrap over the hours {lower_bound(lived):.4f}",
        ),
        _score(f"recall, {name}", recall_score(lived), _recalled(lived)),
        _score(f"continuity, {name}", continuity_score(lived), f"{wrong} wrong"),
        _score(
            f"alive, {name}",
            alive_score(lived),
            f"{dead} of {cells} cells of {CELL_S / 60:.0f} min without a thought; "
            f"{offline} thoughts offline, the model being out",
        ),
    ]


def _score(name: str, score: float, note: str) -> Figure:
    return Figure(name, "", REACH, score, at_least=True, note=note)


def _recalled(lived: list[Hour]) -> str:
    parts = []
    for name in ("kept", "clean"):
        shares = [getattr(hour, name) for hour in lived]
        good, everything = sum(s.good for s in shares), sum(s.all for s in shares)
        parts.append(f"{name} {good:,} of {everything:,}")
    return ", ".join(parts)


def _times(links: Iterable[Link]) -> Times:
    times: Times = defaultdict(list)
    for link in sorted(links, key=lambda link: (link.stream, link.seq)):
        times[link.stream].append(link.at_s)
    return times


def _pace(times: Times, outage: tuple[float, float] | None) -> Pace:
    real_s = statistics.median(
        after - before for each in times.values() for before, after in pairwise(each)
    )
    return Pace(BEAT_S, real_s, LONGEST_SILENCE_S, BEAT_S / real_s, outage, MODEL_OUT_S)


async def _recall_controls(day: Day) -> list[Figure]:
    """Where nothing was told, and where tombstones are taken away."""
    empty = Hour()
    await Probes(day.client, "never-told").ask(empty)
    again = Hour()
    probes = Probes(day.client, "without-tombstones")
    await probes.tell()
    await probes.change()
    connection = await day.standby.connect()
    await connection.execute(WITHOUT_TOMBSTONES, probes.agent_id)
    await connection.close()
    await probes.feed_again()
    await probes.ask(again)
    return [
        Figure("control, memory off: recall", "", NOTHING_KEPT, recall_score([empty])),
        Figure(
            "control, deletion without tombstones: recall",
            "",
            CONTROL_BELOW,
            recall_score([again]),
            note=f"{probes.refused} of {len(probes.forgotten)} refused",
        ),
    ]


async def _restart_control() -> Figure:
    """A mind that loses its data folder when it is restarted."""
    seen, standing = await forgetful_links(FORGETFUL_THOUGHTS)
    hour = [Hour()]
    count_chains(seen, standing, hour, FORGETFUL_THOUGHTS)
    return Figure(
        "control, restart without persistence: continuity",
        "",
        CONTROL_BELOW,
        continuity_score(hour),
        note=f"{len(seen)} thoughts seen, {len(standing)} left",
    )
