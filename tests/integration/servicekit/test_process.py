"""A service as a process: how it starts, refuses to, serves, and ends."""

import asyncio
import json
import signal
from pathlib import Path

import httpx2
import pytest
from tests.integration.servicekit.process import Pod, start_pod
from tests.integration.servicekit.servers import Cluster, in_schema, until
from tests.unit.servicekit.small_app import problem_of

from servicekit.app import MAX_BODY_BYTES
from servicekit.envelope import CLOSE_ONE_IN

SECRET = "do-not-print-this"
# Nobody is there; serving does not need it.
NOWHERE = f"postgresql://someone:{SECRET}@/mind?host=/nowhere"
# Longer than any answer here takes on a machine that has much else to do.
ANSWER_S = 60.0


def route_lines(pod: Pod, route: str) -> list[dict[str, object]]:
    return [line for line in pod.lines if line.get("route") == route]


async def talk(pod: Pod, *parts: bytes, answered: bool = True) -> bytes:
    """What a client reads that writes those bytes; without an answer it vanishes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if not answered:
            writer.transport.abort()
            return b""
        async with asyncio.timeout(ANSWER_S):
            return await reader.read()
    finally:
        writer.close()


async def test_it_serves_before_the_database_is_there() -> None:
    async with start_pod(DATABASE_URL=NOWHERE) as pod:
        await pod.until_listening()
        async with httpx2.AsyncClient(base_url=pod.address) as client:
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"] == {"database": "no connection yet"}
            assert (await client.get("/api/small/notes/a")).status_code == 200
            notes = await client.get("/api/pod/notes")
            assert notes.status_code == 503
            assert problem_of(notes)["type"].endswith(":database-unavailable")
            failed = await client.get(
                "/api/small/failures/unexpected", headers={"X-Request-ID": "call-1"}
            )
            assert failed.status_code == 500
            await client.get("/api/small/failures/unprintable")
        pod.process.send_signal(signal.SIGINT)
        assert await pod.wait() == 0
        lines = pod.lines
        assert pod.errors == ""
        assert SECRET not in pod.output
    failures = [line for line in lines if line["event"] == "request failed"]
    assert len(failures) == 2
    assert failures[0]["request_id"] == "call-1"
    assert "ZeroDivisionError" in failures[0]["exception"]
    assert all(line["service"] == "pod" for line in lines)
    events = [line["event"] for line in lines]
    assert "database is not there yet" in events
    assert events.index("letting go") < events.index("Application shutdown complete.")


async def test_it_is_ready_once_it_is_migrated(cluster: Cluster, name: str) -> None:
    dsn = in_schema(cluster.primary.dsn(name), await cluster.create_schema(name))
    async with start_pod(DATABASE_URL=dsn) as pod:
        await pod.until_listening()
        async with httpx2.AsyncClient(base_url=pod.address) as client:

            async def lacks() -> str:
                return str((await client.get("/readyz")).json()["checks"]["database"])

            async def lacks_migrations() -> bool:
                return await lacks() == "migrations missing: 0001_notes, 0002_authors"

            async def is_ready() -> bool:
                return (await client.get("/readyz")).status_code == 200

            await until(lacks_migrations)
            async with start_pod("migrate", DATABASE_URL=dsn) as migrator:
                assert await migrator.wait() == 0
                applied = [line["event"] for line in migrator.lines]
                assert "Marking 0001_notes applied" in applied
            await until(is_ready)
            stored = await client.post("/api/pod/notes", json={"content": "a"})
            assert stored.json() == {"id": 1, "content": "a"}


async def test_clients_on_real_sockets() -> None:
    async with start_pod(DATABASE_URL=NOWHERE) as pod:
        await pod.until_listening()
        await _bodies_are_read_or_refused(pod)
        await _clients_vanish(pod)
        await _garbage_is_refused(pod)
        await _heads_without_end_are_refused(pod)
        await _a_body_is_no_request(pod)
        async with httpx2.AsyncClient(base_url=pod.address) as client:
            assert (await client.get("/livez")).status_code == 200
        assert not [line for line in pod.lines if line["level"] == "error"]


async def _bodies_are_read_or_refused(pod: Pod) -> None:
    notes = f"{pod.address}/api/small/notes"
    said = await talk(
        pod,
        b"POST /api/small/notes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n\r\n"
        b'{"text": "from curl"}',
    )
    assert said.startswith(b"HTTP/1.1 200")
    assert b'{"text":"from curl"' in said

    async def parts() -> object:
        for _ in range(100):
            yield b"a" * 65_536

    async with httpx2.AsyncClient(timeout=ANSWER_S) as client:
        over = b"a" * (MAX_BODY_BYTES + 1)
        for body in (over, parts()):
            response = await client.post(notes, content=body)  # type: ignore[arg-type]
            assert response.status_code == 413
            problem_of(response)
        deep = await client.post(notes, content=b"[" * 10_000 + b"]" * 10_000)
        assert deep.status_code == 422
        problem_of(deep)
        late = await client.get(
            f"{pod.address}/api/small/wait", headers={"X-Request-Timeout-Ms": "20"}
        )
        assert late.status_code == 504
        problem_of(late)


async def _clients_vanish(pod: Pod) -> None:
    head = b"Host: localhost\r\nContent-Length: 99\r\n\r\n"
    for path in (b"notes", b"raw"):
        request = b"POST /api/small/%s HTTP/1.1\r\n" % path
        await talk(pod, request, head, b'{"text": "a', answered=False)
    reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
    writer.write(b"GET /api/small/count HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.transport.abort()

    vanished = {"/api/small/notes": 0, "/api/small/raw": 0, "/api/small/count": 200}

    async def are_over() -> bool:
        return all(
            status in [line["status"] for line in route_lines(pod, route)]
            for route, status in vanished.items()
        )

    await until(are_over)


async def _garbage_is_refused(pod: Pod) -> None:
    for garbage in (
        bytes(range(256)) + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ):
        assert (await talk(pod, garbage)).startswith(b"HTTP/1.1 400")


async def _heads_without_end_are_refused(pod: Pod) -> None:
    get = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    post = b"POST /api/small/notes HTTP/1.1\r\nHost: localhost\r\n"
    trailers = b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    for begun, more in (
        (b"GET /", b"a" * 10_000),
        (get + b"X: ", b"a" * 10_000),
        (get, b"X: a\r\n" * 2000),
        (post + trailers + b"X: ", b"a" * 10_000),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
        answer = asyncio.create_task(reader.read())
        writer.write(begun)
        async with asyncio.timeout(ANSWER_S):
            while not answer.done():
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0.001)
        assert (await answer).startswith(b"HTTP/1.1 400")
        writer.close()
    long = b"X: " + b"a" * 20_000 + b"\r\nConnection: close\r\n\r\n"
    assert (await talk(pod, get, long)).startswith(b"HTTP/1.1 200")


async def _a_body_is_no_request(pod: Pod) -> None:
    """Else whoever shares a proxy's connection would read another's answer."""
    smuggled = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    note = b'{"text": "a note"}'

    def post(connection: bytes, framing: bytes) -> bytes:
        return (
            b"POST /api/small/notes HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, %b\r\n"
            b"%b\r\n\r\n" % (connection, framing)
        )

    def chunk(body: bytes) -> bytes:
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    sized = post(b"HTTP2-Settings", b"Content-Length: %d" % len(smuggled))
    chunked = post(b"HTTP2-Settings", b"Transfer-Encoding: chunked")
    for parts in (
        (sized + smuggled + last,),
        (sized, smuggled, last),
        (sized[:90], sized[90:] + smuggled[:9], smuggled[9:] + last),
        (chunked + chunk(smuggled) + last,),
        (chunked, chunk(smuggled), last),
        (3 * (sized + smuggled) + last,),
    ):
        answers = (await talk(pod, *parts)).split(b"HTTP/1.1 ")[1:]
        refused = b"".join(parts).count(b"POST")
        assert [answer[:3] for answer in answers] == [b"422"] * refused + [b"200"]
    sized = post(b"close", b"Content-Length: %d" % len(note))
    chunked = post(b"close", b"Transfer-Encoding: chunked")
    for body in (sized + note, chunked + chunk(note)):
        said = await talk(pod, body)
        assert said.startswith(b"HTTP/1.1 200")
        assert b'{"text":"a note"' in said


@pytest.mark.parametrize("let_go", ["works", "fails"])
async def test_what_is_under_way_is_ended_before_the_process(let_go: str) -> None:
    async with start_pod(DATABASE_URL=NOWHERE, LET_GO=let_go) as pod:
        await pod.until_listening()
        async with httpx2.AsyncClient(base_url=pod.address) as client:
            waiting = asyncio.create_task(
                client.get("/api/small/wait", headers={"X-Request-Timeout-Ms": "700"})
            )

            async def in_flight() -> bool:
                return bool((await client.get("/livez")).is_success)

            await until(in_flight)
            await asyncio.sleep(0.1)
            pod.process.send_signal(signal.SIGTERM)
            response = await waiting
        assert response.status_code == 504
        assert await pod.wait() == -signal.SIGTERM
        events = [line["event"] for line in pod.lines]
        assert pod.errors == ""
    begin = events.index("letting go")
    assert begin < events.index("Application shutdown complete.")
    assert ("letting go failed, stopping all the same" in events) == (let_go == "fails")


async def test_no_connection_is_kept_for_ever() -> None:
    """Else calls would go to the same pods for ever."""
    async with start_pod(DATABASE_URL=NOWHERE) as pod:
        await pod.until_listening()
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
        # Of that many none would be the last by a chance of one in ten million.
        for _ in range(16 * CLOSE_ONE_IN):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(18) == b'{"status":"alive"}'
            if b"\r\nconnection: close\r\n" in head:
                break
        assert await reader.read() == b""
        writer.close()


async def test_what_is_under_way_gets_the_time_it_was_promised() -> None:
    async with start_pod(DATABASE_URL=NOWHERE, SHUTDOWN_SECONDS="1") as pod:
        await pod.until_listening()
        async with httpx2.AsyncClient(base_url=pod.address, timeout=10.0) as client:
            waiting = asyncio.create_task(client.get("/api/small/wait"))
            await asyncio.sleep(0.2)
            begun_s = asyncio.get_running_loop().time()
            pod.process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx2.HTTPError):
                (await waiting).raise_for_status()
        await pod.wait()
        assert 0.9 < asyncio.get_running_loop().time() - begun_s < 2.5


KEYS = f'[{{"key": "{SECRET}", "scopes": ["read"]'
REFUSED = {
    "no database": ({"DATABASE_URL": ""}, "DATABASE_URL: Field required"),
    "broken keys": ({"API_KEYS": KEYS}, "API_KEYS: Invalid JSON"),
    "an unknown scope": (
        {"API_KEYS": KEYS.replace("read", "all") + "}]"},
        "API_KEYS.0.SCOPES.0: Input should be",
    ),
    "a broken file": ({"API_KEYS_FILE": "{folder}/broken.json"}, "Invalid JSON"),
    "no file": ({"API_KEYS_FILE": "{folder}/none.json"}, "No such file"),
    "a folder for a file": ({"API_KEYS_FILE": "{folder}"}, "Is a directory"),
    "an open door": ({"HOST": "0.0.0.0"}, "HOST=0.0.0.0 is reachable from elsewhere"),
    "too small a pool": (
        {"DATABASE_POOL_SIZE": "1"},
        "DATABASE_POOL_SIZE: Input should be greater than or equal to 2",
    ),
    "a bad port": ({"PORT": "http"}, "PORT: Input should be a valid integer"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_settings_that_do_not_fit_end_it_with_a_reason(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "broken.json").write_text(KEYS)
    settings, reason = REFUSED[name]
    placed = {
        key: value.replace("{folder}", str(tmp_path)) for key, value in settings.items()
    }
    async with start_pod(**{"DATABASE_URL": NOWHERE, **placed}) as pod:
        assert await pod.wait() == 1
        said = pod.output + pod.errors
    assert reason in said
    assert said.startswith("pod: ")
    assert "Traceback" not in said
    assert SECRET not in said


async def test_it_describes_itself_without_an_environment() -> None:
    async with start_pod("openapi", API_KEYS="[", HOST="0.0.0.0") as pod:
        assert await pod.wait() == 0, pod.errors
        document = json.loads(pod.output)
    assert "/api/pod/notes" in document["paths"]
    assert "/livez" not in document["paths"]
    assert document["components"]["securitySchemes"]
