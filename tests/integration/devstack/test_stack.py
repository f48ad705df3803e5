"""The runner's life, over stand-ins for the services: start, deaths, stop, go on."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.integration.devstack.conftest import (
    RUNNER,
    STOP_TIMEOUT_S,
    Start,
    find_processes,
)

from devstack.credentials import Credentials
from devstack.postgres import Postgres
from devstack.valkey import Valkey

REPLICA_READY = r"PostgreSQL replica (answers|is ready)"


def ask(port: int, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        body: dict[str, Any] = json.load(answer)
        return body


def postmaster(folder: Path, name: str) -> int:
    file = folder / "data" / "postgres" / name / "postmaster.pid"
    return int(file.read_text().splitlines()[0])


def test_stops_at_once_and_goes_on_where_it_stopped(
    folder: Path, port: int, start: Start
) -> None:
    first = start()
    first.wait_for(f"thinks at http://127.0.0.1:{port}")
    seen = first.wait_until_thinking()
    # All of the group get the signal, and only the runner may act on it.
    os.kill(first.popen.pid, signal.SIGSTOP)
    children = set(find_processes(folder))
    os.killpg(first.popen.pid, signal.SIGINT)
    assert ask(port + 2, "/readyz")["service"] == "memory-service"
    assert children == set(find_processes(folder))
    os.kill(first.popen.pid, signal.SIGCONT)
    assert first.wait() == 0
    assert find_processes(folder) == []
    assert "Traceback" not in first.output

    second = start()
    assert second.wait_until_thinking() > seen
    assert "migrations applied" not in second.output
    os.kill(second.popen.pid, signal.SIGTERM)
    assert second.wait() == 0
    assert find_processes(folder) == []


def test_routes_by_prefix_and_tells_services_what_they_need(
    folder: Path, port: int, start: Start
) -> None:
    run = start()
    run.wait_until_thinking()
    run.output.index("safety-validator is ready")
    paths = {
        "/": "thought-generator",
        "/api/thought/x": "thought-generator",
        "/api/memory": "memory-service",
        "/mcp": "memory-service",
        "/api/safety/policy": "safety-validator",
        "/v1/moderations": "safety-validator",
    }
    answers = {path: ask(port, path) for path in paths}
    assert {path: answers[path]["service"] for path in paths} == paths
    told = answers["/mcp"]["environment"]
    key = json.loads((folder / "data" / "secrets.json").read_text())["service_key"]
    assert told["SERVICE_KEY"] == key
    assert told["REDIS_URL"].startswith("unix:///")
    assert "port=5433" in told["DATABASE_REPLICA_URL"]
    assert told["HOME"] == os.environ["HOME"]


def test_starts_again_whatever_is_killed(folder: Path, port: int, start: Start) -> None:
    run = start()
    run.wait_for(REPLICA_READY)
    run.wait_until_thinking()
    for title, pid in (
        ("PostgreSQL primary", postmaster(folder, "primary")),
        ("PostgreSQL replica", postmaster(folder, "replica")),
        ("Valkey", find_processes(folder, "valkey-server")[0]),
        ("memory-service", find_processes(folder, "memory-service")[0]),
    ):
        os.kill(pid, signal.SIGKILL)
        run.wait_for(rf"{title} ended \(signal 9\)")
        run.wait_for(rf"{title} is ready again")
        seen = run.wait_until_thinking()
        assert run.wait_until_thinking() == seen + 1
    assert ask(port, "/api/memory")["service"] == "memory-service"
    assert run.interrupt() == 0
    assert find_processes(folder) == []


def test_the_feed_misses_no_thought_while_its_service_is_away(
    folder: Path, start: Start
) -> None:
    run = start()
    seen = run.wait_until_thinking()
    os.kill(find_processes(folder, "thought-generator")[0], signal.SIGKILL)
    run.wait_for("thought-generator is ready again")
    run.wait_until_thinking()
    shown = [
        int(line.split("number ")[1].split()[0])
        for line in run.output.splitlines()
        if "thought number" in line
    ]
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert shown[-1] > seen


def test_a_killed_runner_leaves_nothing_and_the_next_start_copes(
    folder: Path, start: Start
) -> None:
    first = start()
    first.wait_for(REPLICA_READY)
    first.wait_until_thinking()
    pids = find_processes(folder)
    first.popen.kill()
    first.wait()
    second = start()
    second.wait_until_thinking()
    assert set(pids).isdisjoint(find_processes(folder))


@pytest.mark.parametrize("moment", ["Valkey answers", "PostgreSQL answers"])
def test_an_interrupted_start_leaves_nothing_in_the_way(
    folder: Path, start: Start, moment: str
) -> None:
    first = start()
    first.wait_for(moment)
    assert first.interrupt() == 0
    assert "Traceback" not in first.output
    assert find_processes(folder) == []
    second = start()
    second.wait_for(REPLICA_READY)
    second.wait_until_thinking()


def test_a_reader_that_leaves_stops_the_stack(folder: Path, port: int) -> None:
    told = {**os.environ, "DATA_DIR": str(folder / "data"), "PORT": str(port)}
    command = [sys.executable, str(RUNNER)]
    with subprocess.Popen(
        command, env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stderr is not None
        assert any("thought number" in line for line in runner.stdout)
        runner.stdout.close()
        assert runner.wait(STOP_TIMEOUT_S) == 0
        assert runner.stderr.read() == ""
    assert find_processes(folder) == []


def test_a_second_start_says_who_is_there(port: int, start: Start) -> None:
    first = start()
    first.wait_for("answers")
    second = start(PORT=str(port + 10))
    assert second.wait() == 1
    assert f"in use by process {first.popen.pid}" in second.output
    assert f"http://127.0.0.1:{port}" in second.output
    assert len(second.output.splitlines()) == 1


@pytest.mark.parametrize("offset", [0, 2])
def test_a_taken_port_is_named_with_the_way_out(
    folder: Path, port: int, start: Start, offset: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + offset))
        taken.listen()
        run = start()
        assert run.wait() == 1
    assert f"port {port + offset} is in use" in run.output
    assert f"PORT={port + 100} make run" in run.output
    assert find_processes(folder) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PORT": "http"}, "PORT=http is not a port"),
        ({"PORT": "65535"}, "PORT=65535 is not a port"),
        ({"DATA_DIR": "/dev/null/data"}, "/dev/null"),
        ({"DATABASE_REPLICA_URL": "postgresql:///x"}, "needs DATABASE_URL"),
        ({"REDIS_URL": "unix:///nowhere/valkey.sock"}, "REDIS_URL: no connection"),
        ({"REDIS_URL": "valkey"}, "REDIS_URL: no connection"),
        (
            {"DATABASE_URL": "postgresql://me:hidden@127.0.0.1:1/x"},
            "DATABASE_URL: no connection",
        ),
        ({"DATABASE_URL": "mysql://me:hidden@x/y"}, "DATABASE_URL: no connection"),
        ({"DATABASE_URL": "postgres://me:hid/den@x/y"}, "DATABASE_URL: no connection"),
        ({"REDIS_URL": "redis://me:hid/den@x/1"}, "REDIS_URL: no connection"),
    ],
)
def test_what_cannot_work_is_one_line(
    start: Start, variables: dict[str, str], said: str
) -> None:
    run = start(**variables)
    assert run.wait() == 1
    last = run.output.splitlines()[-1]
    assert last.startswith("claude-agi: ")
    assert said in last
    assert "Traceback" not in run.output
    assert "hid" not in run.output


def test_a_read_only_folder_is_one_line(folder: Path, start: Start) -> None:
    data = folder / "read-only"
    data.mkdir()
    if os.geteuid() == 0:
        mount = ["mount", "-t", "tmpfs", "-o", "ro,mode=755", "none", str(data)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("root writes everywhere, and mounting is not allowed here")
    else:
        data.chmod(0o500)
    try:
        run = start(DATA_DIR=str(data))
        assert run.wait() == 1
        assert run.output.startswith(f"claude-agi: {data}")
        assert len(run.output.splitlines()) == 1
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", data], check=True)


def test_a_full_folder_is_said_without_a_traceback(folder: Path, start: Start) -> None:
    data = folder / "full"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=711", "none", str(data)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full file system takes the right to mount one")
    try:
        run = start(DATA_DIR=str(data))
        assert run.wait() == 1
        assert "No space left on device" in run.output
        assert "Traceback" not in run.output
    finally:
        subprocess.run(["umount", data], check=True)


def test_a_service_that_dies_at_start_has_its_last_words_shown(
    folder: Path, start: Start
) -> None:
    run = start(STANDIN_FAULT="memory-service")
    assert run.wait() == 1
    assert "memory-service ended at start (exit code 1)" in run.output
    assert "memory-service does not like its settings" in run.output
    assert find_processes(folder) == []


async def test_servers_of_somebody_else_are_used(folder: Path, start: Start) -> None:
    async with Postgres.primary(folder / "theirs") as primary:
        connection = await primary.connect()
        await connection.execute("CREATE DATABASE app")
        await connection.close()
        async with Valkey.of(folder / "theirs") as valkey:
            run = start(DATABASE_URL=primary.dsn("app"), REDIS_URL=valkey.url)
            run.wait_until_thinking()
            assert not (folder / "data" / "postgres").exists()
            assert run.interrupt() == 0
        connection = await primary.connect("app")
        assert await connection.fetchval("SELECT count(*) FROM thinking.thoughts") > 0
        await connection.close()
    password = Credentials.load(folder / "theirs").postgres
    assert password not in run.output
