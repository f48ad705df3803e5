"""How PostgreSQL reads: no statement goes through a large table from end to end.

`plans.json` has on record which indexes each of them uses. After a change that is meant
it is written anew, by this test with RECORD_PLANS=1 in the environment.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import migrate
from tests.support.servers import own_primary

from devstack.database import bootstrap
from memory_service.stores.queries import QUERIES

MEMORIES = 40_000
AGENTS = 20_000
# A table of fewer rows may well be read as a whole.
LARGE = 2_000
# No SELECT, so that it has no plan; it counts everything, beside the requests.
UNPLANNED = {"refresh_counts"}
# What runs now and then, on no caller's way, and looks at each agent or at each job.
LOOKS_AT_ALL = {
    "claim_counts": {"agents"},
    "crowded_agents": {"agents"},
    "due_agents": {"agents", "jobs"},
    "prune_jobs": {"jobs"},
}
# The indexes by the names that they have for all months.
RECORD = Path(__file__).with_name("plans.json")

FILL = f"""
INSERT INTO agents (agent_id, seq)
SELECT 'agent-' || n, {MEMORIES} FROM generate_series(0, {AGENTS} - 1) AS n;

-- Half of all memories are the first agent's; half are of the last two years, half of
-- months that have partitions.
CREATE TEMP TABLE told AS
SELECT
    CASE WHEN n % 2 = 0 THEN 'agent-0' ELSE 'agent-' || n % 1000 END AS agent_id,
    gen_random_uuid() AS id,
    n AS seq,
    now() + CASE
        WHEN n % 4 < 2 THEN -n * interval '2 years' / {MEMORIES}
        ELSE n * interval '2 months' / {MEMORIES}
    END AS at,
    CASE n % 50 WHEN 0 THEN 'thought' WHEN 1 THEN 'semantic' ELSE 'episodic' END AS type
FROM generate_series(1, {MEMORIES}) AS n;

INSERT INTO memories (
    agent_id, id, seq, changed_seq, user_id, session_id, content, memory_type,
    importance, timestamp, created_at, updated_at, metadata, evidence, pinned,
    superseded_by, valid_until, expires_at, judged, digest
)
SELECT
    agent_id, id, seq, seq,
    CASE WHEN seq % 3 = 0 THEN 'user-' || seq % 20 END,
    CASE WHEN seq % 4 = 0 THEN 'session-' || seq % 500 END,
    'words ' || seq || ' and ' || seq % 700 || ' of ' || seq % 30, type,
    seq % 100 / 100.0, at, at, at, jsonb_build_object('place', seq % 200),
    CASE type WHEN 'thought' THEN 'thought' ELSE 'told' END, seq % 500 = 0,
    CASE WHEN seq % 100 = 0 THEN gen_random_uuid() END,
    CASE WHEN seq % 100 = 0 THEN at END,
    CASE WHEN seq % 60 = 0 THEN at + interval '5 years' END,
    seq % 900 <> 0, sha256(seq::text::bytea)
FROM told;
INSERT INTO embeddings (agent_id, memory_id, seq, model, vector, previous_seq)
SELECT
    agent_id, id, seq, 'model', repeat('x', 96)::bytea,
    CASE WHEN seq % 4 = 0 THEN seq - 4 END
FROM told;
INSERT INTO sources (agent_id, memory_id, source_id, consolidated)
SELECT agent_id, id, gen_random_uuid(), seq % 2 = 0 FROM told;
INSERT INTO mentions
SELECT
    agent_id, id, gen_random_uuid(), NULL, NULL, 'said so', at, '{{}}', 'told', at,
    seq, 'ada'
FROM told;
INSERT INTO history
SELECT agent_id, id, seq, at, 'ada', '{{}}', '{{}}' FROM told;
INSERT INTO deletions
SELECT agent_id, gen_random_uuid(), seq, -seq, at, true FROM told;
INSERT INTO tombstones
SELECT
    agent_id, gen_random_uuid(), sha256(seq::text::bytea), 'deleted', at, 'ada',
    sha256(seq::text::bytea), sha256((seq % 900)::text::bytea), 4
FROM told;
INSERT INTO jobs (agent_id, id, kind, state, created_at, ended_at)
SELECT agent_id, gen_random_uuid(), 'consolidation', 'done', at, at FROM told;
INSERT INTO idempotency_keys (
    agent_id, operation, key, request_digest, response, created_at
)
SELECT agent_id, 'remember', seq::text, '', '', at FROM told;
ANALYZE;
"""


@pytest_asyncio.fixture(scope="module")
async def filled() -> AsyncIterator[asyncpg.Connection]:
    """A database of its own, with so much in it that it matters how it is read."""
    async with own_primary() as server:
        dsn = (await bootstrap(server))["memory"]
        await migrate(dsn)
        connection = await asyncpg.connect(dsn)
        await connection.execute(FILL)
        await connection.execute("REFRESH MATERIALIZED VIEW memory_counts")
        yield connection
        await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def explain(connection: asyncpg.Connection, query: str) -> dict[str, Any]:
    """The plan for any values of the parameters. No time is given, so that of
    statements that look for one no month is in it."""
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE explained AS {query}")
    try:
        types = await connection.fetchval(
            "SELECT parameter_types FROM pg_prepared_statements "
            "WHERE name = 'explained'"
        )
        nulls = f"({', '.join(['NULL'] * len(types))})" if types else ""
        text = await connection.fetchval(
            f"EXPLAIN (FORMAT JSON) EXECUTE explained{nulls}"
        )
    finally:
        await connection.execute("DEALLOCATE explained")
    (plan,) = json.loads(text)
    found: dict[str, Any] = plan["Plan"]
    return found


async def large_tables(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'memory'::regnamespace "
        "AND relkind = 'r' AND reltuples > $1",
        LARGE,
    )
    return {row["relname"] for row in rows}


async def test_there_is_something_to_read(filled: asyncpg.Connection) -> None:
    large = await large_tables(filled)
    assert {"embeddings", "memories_before", "history", "sources", "jobs"} <= large
    assert len([name for name in large if name.startswith("memories_")]) >= 3


@pytest.mark.parametrize("name", sorted(set(QUERIES) - UNPLANNED))
async def test_no_large_table_is_read_as_a_whole(
    filled: asyncpg.Connection, name: str
) -> None:
    large = await large_tables(filled)
    plan = await explain(filled, QUERIES[name])
    read = {
        node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"
    }
    unexpected = read & large - LOOKS_AT_ALL.get(name, set())
    assert not unexpected, json.dumps(plan, indent=1)


async def test_the_plans_are_those_on_record(filled: asyncpg.Connection) -> None:
    """An index that is missing is not seen by the table being read as a whole: those
    that remain lead to all of an agent's rows."""
    parents = {
        row["name"]: row["parent"]
        for row in await filled.fetch(
            "SELECT inhrelid::regclass::text AS name, "
            "inhparent::regclass::text AS parent FROM pg_inherits"
        )
    }
    plans = {}
    for name in sorted(set(QUERIES) - UNPLANNED):
        plan = await explain(filled, QUERIES[name])
        used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
        plans[name] = sorted({parents.get(index, index) for index in used})
    if os.environ.get("RECORD_PLANS"):
        RECORD.write_text(json.dumps(plans, indent=2) + "\n")
    assert plans == json.loads(RECORD.read_text())
