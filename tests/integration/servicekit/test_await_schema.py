"""Waiting for the schema, as the process that holds a pod back until it is there."""

import asyncio
import signal
import subprocess
import sys

import pytest
import pytest_asyncio
from tests.integration.servicekit.pod.app import PACKAGE
from tests.integration.servicekit.process import Pod, start_module
from tests.integration.servicekit.servers import Cluster, in_schema, until

from devstack.postgres import make_dsn
from servicekit import jobs
from servicekit.await_schema import await_schema
from servicekit.migrations import apply_migrations

MODULE = "servicekit.await_schema"
PASSWORD = "late-and-secret"
NOWHERE = f"postgresql://memory:{PASSWORD}@127.0.0.1:1/mind"
LACKS_ALL = "migrations missing: 0001_notes, 0002_authors"


def reason(pod: Pod) -> str:
    """What the last line says it waits for, or why it ended."""
    return str(pod.lines[-1]["reason"]) if pod.lines else ""


async def until_it_says(pod: Pod, text: str) -> None:
    async def says() -> bool:
        assert pod.process.returncode is None, pod.output + pod.errors
        return text in reason(pod)

    await until(says)


@pytest_asyncio.fixture
async def role(cluster: Cluster, name: str) -> str:
    """The name of a role, and of its schema, that nobody has made yet."""
    schema = await cluster.create_schema(name)
    connection = await cluster.primary.connect(name)
    await connection.execute(f"DROP SCHEMA {schema}")
    await connection.close()
    return f"late_{schema}"


async def test_it_waits_for_role_schema_and_migrations(
    cluster: Cluster, name: str, role: str
) -> None:
    dsn = make_dsn(role, PASSWORD, name, cluster.primary)
    connection = await cluster.primary.connect(name)
    async with start_module(MODULE, PACKAGE, DATABASE_URL=dsn) as pod:
        await until_it_says(pod, "DATABASE_URL: the server does not let it in: ")
        await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'another'")
        await connection.execute(f"ALTER ROLE {role} SET search_path = {role}")
        await connection.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
        await until_it_says(pod, LACKS_ALL)
        await connection.execute(f"CREATE SCHEMA {role} AUTHORIZATION {role}")
        await asyncio.to_thread(apply_migrations, dsn, PACKAGE)
        assert await pod.wait() == 0
        assert pod.errors == ""
        assert PASSWORD not in pod.output
    # There already, it is not waited for.
    async with start_module(MODULE, PACKAGE, DATABASE_URL=dsn) as pod:
        assert await pod.wait() == 0
        assert pod.output == ""
    await connection.close()


async def test_it_waits_for_the_server(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "POLL_S", 0.05)
    schema = await cluster.create_schema(name)
    dsn = in_schema(cluster.primary.dsn(name), schema)
    await asyncio.to_thread(apply_migrations, dsn, PACKAGE)
    await cluster.primary.stop()
    waiting = asyncio.create_task(await_schema(dsn, PACKAGE))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    await cluster.primary.start()
    async with asyncio.timeout(10.0):
        await waiting


async def test_it_says_every_few_seconds_what_it_waits_for(
    cluster: Cluster, name: str
) -> None:
    """And says it as an object a line, until it is told to end."""
    dsn = in_schema(cluster.primary.dsn(name), await cluster.create_schema(name))
    async with start_module(MODULE, PACKAGE, DATABASE_URL=dsn) as pod:

        async def said_twice() -> bool:
            return len(pod.lines) == 2

        await until(said_twice)
        first, second = pod.lines
        assert first["reason"] == second["reason"] == LACKS_ALL
        assert 5.0 <= float(second["waited_s"]) < 6.0
        pod.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(1.0):
            assert await pod.process.wait() == 128 + signal.SIGTERM
        assert pod.errors == ""


FAILURES = {
    "no address": ({}, PACKAGE, "DATABASE_URL is not set"),
    "a broken address": (
        {"DATABASE_URL": f"postgresql://a:{PASSWORD}%@[b/c"},
        PACKAGE,
        "DATABASE_URL is not a PostgreSQL address",
    ),
    "another server": (
        {"DATABASE_URL": f"mysql://a:{PASSWORD}@b/c"},
        PACKAGE,
        "DATABASE_URL is not a PostgreSQL address",
    ),
    "no such package": (
        {"DATABASE_URL": NOWHERE},
        "nobody",
        "there is no package 'nobody' here",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_what_waiting_cannot_mend_ends_it_with_a_reason(case: str) -> None:
    settings, package, said = FAILURES[case]
    async with start_module(MODULE, package, **settings) as pod:
        assert await pod.wait() == 1
        assert pod.errors == ""
        assert said in reason(pod)
        assert PASSWORD not in pod.output


@pytest.mark.parametrize(
    ("dsn", "named"),
    [
        (NOWHERE, "127.0.0.1:1"),
        # The password, which is not encoded, has begun before the slash.
        (f"postgresql://localhost:1/{PASSWORD}@127.0.0.1:2/mind", "the server"),
    ],
)
async def test_it_names_the_server_that_is_away(dsn: str, named: str) -> None:
    async with start_module(MODULE, PACKAGE, DATABASE_URL=dsn) as pod:
        await until_it_says(pod, f"DATABASE_URL: no connection to {named}: ")
        assert PASSWORD not in pod.output


def test_it_loads_no_more_than_it_needs() -> None:
    """It runs beside each start of a pod."""
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, {MODULE}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"fastapi", "pydantic", "aiohttp", "yoyo", "redis"} & set(loaded)
