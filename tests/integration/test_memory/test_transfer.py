"""Import and export: line by line, again and again, without loss."""

import asyncio
import base64
import json
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest
from tests.integration.test_memory.replicas import (
    BLOCKED,
    OUTAGE,
    PREFIX,
    PROGRAM,
    SECRET,
    Caller,
    Fields,
    Process,
    Replica,
    SafetyServer,
    process,
)
from tests.support.waiting import until

from contracts.ids import new_id
from embedding import MODEL_NAME
from memory_service.domain import transfer
from memory_service.routes import lines

DIMENSION = 384


def axis(number: int, length: float = 1.0) -> list[float]:
    """A vector along one axis."""
    vector = [0.0] * DIMENSION
    vector[number] = length
    return vector


def packed(vector: list[float]) -> str:
    return base64.b64encode(np.array(vector, dtype="<f2").tobytes()).decode()


async def test_every_seventh_line_is_broken(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_BATCH_LINES", 10)
    broken: list[Fields | str] = ["{", "[]", "3", '{"content": 3}', '{"x": 1}', "ü,"]
    given: list[Fields | str] = [
        broken[n // 7 % 6] if n % 7 == 0 else {"content": f"line {n}"}
        for n in range(1, 101)
    ]
    totals, told = await ada.take_in(given)
    assert totals == {"imported": 86, "skipped": 0, "failed": 14}
    failures = [line for line in told if "problem" in line]
    assert [line["line"] for line in failures] == list(range(7, 101, 7))
    assert {line["problem"]["status"] for line in failures} == {422}
    progress = [line for line in told if "imported" in line]
    assert [line["line"] for line in progress] == list(range(10, 101, 10))
    assert progress[-1]["imported"] == 86
    page = await ada.recent(limit=1000)
    contents = {memory["content"] for memory in page["memories"]}
    assert contents == {f"line {n}" for n in range(1, 101) if n % 7}


async def test_an_import_is_resumed(ada: Caller) -> None:
    given: list[Fields | str] = [
        {"id": str(new_id()), "content": f"line {n}"} for n in range(20)
    ]
    first, _ = await ada.take_in(given[:12])
    second, _ = await ada.take_in(given)
    assert first == {"imported": 12, "skipped": 0, "failed": 0}
    assert second == {"imported": 8, "skipped": 12, "failed": 0}
    twice, _ = await ada.take_in([given[0], given[0], {"content": "new"}])
    assert twice == {"imported": 1, "skipped": 2, "failed": 0}


async def test_out_and_in_again_without_loss(service: Replica, agent: str) -> None:
    ada, bob = service.caller(f"{agent}-a"), service.caller(f"{agent}-b")
    await ada.tell_all(
        ["first", "second"],
        user_id="u",
        metadata={"a": [1, 2.5, "ü"], "b": None},
        timestamp="2020-02-29T00:00:00.000001Z",
        evidence="inferred",
        memory_type="procedural",
        pinned=True,
        ttl_seconds=86400,
    )
    await ada.tell("A thought of my own.", evidence="thought", importance=0.123)
    out = await ada.export(embeddings=True)
    assert [line["content"] for line in out][:2] == ["first", "second"]
    assert {line["embedding_model"] for line in out} == {MODEL_NAME}
    asked = service.context.embedder
    moved: list[Fields | str] = [{**line, "agent_id": bob.agent_id} for line in out]
    totals, _ = await bob.take_in(moved)
    assert totals == {"imported": 3, "skipped": 0, "failed": 0}
    again = await bob.export(embeddings=True)
    set_by_server = ("agent_id", "created_at", "updated_at")
    for line, back in zip(out, again, strict=True):
        for name in set_by_server:
            line.pop(name), back.pop(name)
        assert line == back
    assert asked is service.context.embedder


async def test_without_vectors_a_line_is_a_memory(ada: Caller) -> None:
    told = await ada.tell("plain")
    assert await ada.export() == [told]


async def test_pages_of_an_export_join(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "EXPORT_PAGE", 3)
    await ada.tell_all([f"note {n}" for n in range(10)])
    assert [line["seq"] for line in await ada.export()] == list(range(1, 11))


@pytest.mark.parametrize("form", [list, packed])
async def test_vectors_that_come_along_are_taken(ada: Caller, form: Any) -> None:
    given: list[Fields | str] = [
        {
            "content": f"axis {number}",
            "embedding": form(axis(number, length=3.0)),
            "embedding_model": MODEL_NAME,
        }
        for number in (0, 1)
    ]
    totals, _ = await ada.take_in(given)
    assert totals["imported"] == 2
    out = await ada.export(embeddings=True)
    assert [line["embedding"] for line in out] == [packed(axis(0)), packed(axis(1))]


async def test_vectors_of_another_model_are_made_anew(ada: Caller) -> None:
    text = "The same text."
    foreign = {"embedding": axis(0), "embedding_model": "another"}
    nameless = {"embedding": axis(0)}
    await ada.take_in([{"content": text} | extra for extra in (foreign, nameless)])
    await ada.tell(text)
    vectors = {line["embedding"] for line in await ada.export(embeddings=True)}
    assert len(vectors) == 1
    assert packed(axis(0)) not in vectors


UNFIT: list[Any] = [
    axis(0)[:-1],
    [0.0] * DIMENSION,
    [1e300] * DIMENSION,
    "no base64!",
    packed(axis(0))[:-4],
    base64.b64encode(b"\xff\x7f" * DIMENSION).decode(),
    "",
]


@pytest.mark.parametrize("vector", UNFIT)
async def test_unfit_vectors_fail_their_line(ada: Caller, vector: Any) -> None:
    line = {"content": "x", "embedding": vector, "embedding_model": MODEL_NAME}
    totals, (failure, _) = await ada.take_in([line])
    assert totals["failed"] == 1
    assert failure["problem"]["type"].endswith(":embedding-unfit")


async def test_what_is_redacted_takes_its_vector_along(ada: Caller) -> None:
    text = f"My key is {SECRET}."
    line = {"content": text, "embedding": axis(0), "embedding_model": MODEL_NAME}
    await ada.take_in([line])
    # Another person's: it is not merged into the first.
    told = await ada.tell(text, user_id="ruth")
    assert SECRET not in told["content"]
    first, second = await ada.export(embeddings=True)
    assert first["content"] == told["content"]
    assert first["embedding"] == second["embedding"] != packed(axis(0))


async def test_safety_fails_closed_line_by_line(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "RETRY_PAUSES_S", (0.0,))
    monkeypatch.setattr(lines, "MAX_BATCH_LINES", 2)
    given: list[Fields | str] = [
        {"content": text}
        for text in ("good", BLOCKED, "with it", f"this {OUTAGE}", "later")
    ]
    totals, told = await ada.take_in(given)
    assert totals == {"imported": 2, "skipped": 0, "failed": 3}
    problems = {
        line["line"]: line["problem"]["type"].rpartition(":")[2]
        for line in told
        if "problem" in line
    }
    assert problems == {
        2: "blocked-by-safety",
        3: "safety-unavailable",
        4: "safety-unavailable",
    }
    contents = [memory["content"] for memory in (await ada.recent())["memories"]]
    assert sorted(contents) == ["good", "later"]


async def test_lines_of_several_agents(service: Replica, agent: str) -> None:
    ada = service.caller(agent)
    other = service.caller(f"{agent}-other")
    totals, _ = await ada.take_in(
        [{"content": "mine"}, {"content": "yours", "agent_id": other.agent_id}]
    )
    assert totals["imported"] == 2
    assert [m["content"] for m in (await other.recent())["memories"]] == ["yours"]


async def test_an_id_of_one_agent_says_nothing_of_anothers(
    service: Replica, agent: str
) -> None:
    ada, bob = service.caller(f"{agent}-a"), service.caller(f"{agent}-b")
    one, other = str(new_id()), str(new_id())
    for caller, own in ((ada, one), (bob, other)):
        await caller.take_in([{"id": own, "content": f"of {caller.agent_id}"}])
    totals, _ = await ada.take_in(
        [
            {"id": other, "content": "as the other", "agent_id": ada.agent_id},
            {"id": one, "content": "as the one", "agent_id": bob.agent_id},
            {"id": one, "content": "again", "agent_id": ada.agent_id},
        ]
    )
    assert totals == {"imported": 2, "skipped": 1, "failed": 0}


async def test_what_expired_on_the_way_is_skipped(ada: Caller) -> None:
    totals, _ = await ada.take_in(
        [{"content": "old", "expires_at": "2020-01-01T00:00:00Z"}, {"content": "new"}]
    )
    assert totals == {"imported": 1, "skipped": 1, "failed": 0}


async def test_fields_that_the_server_sets_are_ignored(ada: Caller) -> None:
    line = {
        "content": "x",
        "seq": 77,
        "created_at": "never",
        "updated_at": None,
        "access_count": -1,
        "last_accessed_at": [],
        "superseded_by": "nobody",
    }
    totals, _ = await ada.take_in([line, line | {"unheard_of": 1}])
    assert totals == {"imported": 1, "skipped": 0, "failed": 1}
    (memory,) = (await ada.recent())["memories"]
    assert (memory["seq"], memory["access_count"]) == (1, 0)


async def test_a_line_without_end_is_passed_over(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    given: list[Fields | str] = [
        {"content": "before"},
        {"content": "x" * 1000},
        "",
        {"content": "after"},
        {"content": "y" * 5000},
    ]
    totals, told = await ada.take_in(given)
    assert totals == {"imported": 2, "skipped": 0, "failed": 2}
    failures = [line for line in told if "problem" in line]
    assert [line["line"] for line in failures] == [2, 5]
    assert {line["problem"]["status"] for line in failures} == {413}


@pytest.mark.parametrize("body", ["", "\n", "\r\n \n"])
async def test_an_empty_import(ada: Caller, body: str) -> None:
    answer = await ada.http.post(f"{PREFIX}/import", content=body)
    assert answer.json() == {"imported": 0, "skipped": 0, "failed": 0}


async def test_no_more_imports_at_once_than_there_is_room_for(
    service: Replica, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MAX_IMPORTS", 0)
    answer = await service.http.post(f"{PREFIX}/import", content='{"content": "x"}')
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    monkeypatch.undo()
    for _ in range(transfer.MAX_IMPORTS + 1):
        totals, _ = await ada.take_in([{"content": "x"}])
        assert totals["imported"] == 1


async def send(file: Path, url: str, agent: str) -> tuple[int, list[Fields], str]:
    """Imports a file by the command: its exit code, failed lines, and what it says."""
    sending = await asyncio.create_subprocess_exec(
        *(PROGRAM, "import", file, "--url", url, "--agent", agent),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    told, said = await sending.communicate()
    assert sending.returncode is not None
    failures = [json.loads(line) for line in told.splitlines()]
    return sending.returncode, failures, said.decode()


def address(service: Process) -> str:
    return f"http://127.0.0.1:{service.port}"


async def test_the_command_imports_a_file_again_and_again(
    memory_dsn: str, safety_server: SafetyServer, agent: str, tmp_path: Path
) -> None:
    file = tmp_path / "memories.ndjson"
    told = ['{"content": "one"}', "", "{", f'{{"content": "{BLOCKED}"}}']
    file.write_text("\n".join([*told, '{"content": "one"}', '{"content": "two"}']))
    async with process(memory_dsn, SAFETY_URL=safety_server.address) as service:
        code, failures, said = await send(file, address(service), agent)
        assert code == 1
        assert {one["line"]: one["problem"]["status"] for one in failures} == {
            3: 422,
            4: 422,
        }
        assert "3 imported, 0 skipped, 2 failed" in said
        file.write_text(file.read_text().replace("{\n", "\n").replace(BLOCKED, "fine"))
        code, failures, said = await send(file, address(service), agent)
        assert (code, failures) == (0, [])
        # What has no id of its own keeps the one that it was given.
        assert "1 imported, 3 skipped, 0 failed" in said
        other = file.rename(tmp_path / "others.ndjson")
        assert "4 imported" in (await send(other, address(service), agent))[2]
    code, _, said = await send(tmp_path / "none", "http://127.0.0.1:1", agent)
    assert (code, "No such file" in said) == (2, True)


async def test_the_command_says_what_the_service_refuses(
    memory_dsn: str, safety_server: SafetyServer, tmp_path: Path
) -> None:
    file = tmp_path / "memories.ndjson"
    file.write_text('{"content": "one"}')
    async with process(memory_dsn, SAFETY_URL=safety_server.address) as service:
        code, _, said = await send(file, address(service), "not an agent")
    assert code == 3
    assert "agent_id" in said
    assert "broke off after line 0" in said


async def test_the_command_outlives_a_killed_service(
    memory_dsn: str,
    safety_server: SafetyServer,
    agent: str,
    tmp_path: Path,
    database: asyncpg.Connection,
) -> None:
    """Nothing is lost, and what has no id is not doubled."""
    lines_sent = 12_000
    vector = {"embedding": packed(axis(0)), "embedding_model": MODEL_NAME}
    file = tmp_path / "memories.ndjson"
    with file.open("w") as output:
        for number in range(lines_sent):
            output.write(json.dumps({"content": f"line {number}"} | vector) + "\n")

    async def stored() -> int:
        counted: int = await database.fetchval(
            "SELECT count(*) FROM embeddings WHERE agent_id = $1", agent
        )
        return counted

    async def some_stored() -> bool:
        return await stored() > 0

    async with process(memory_dsn, SAFETY_URL=safety_server.address) as service:
        sending = asyncio.create_task(send(file, address(service), agent))
        await until(some_stored)
        await service.stop(kill=True)
        assert await stored() < lines_sent
        await service.start()
        code, failures, said = await sending
    assert (code, failures) == (0, [])
    assert "trying again" in said
    assert await stored() == lines_sent
    contents = "SELECT count(DISTINCT content) FROM memories WHERE agent_id = $1"
    assert await database.fetchval(contents, agent) == lines_sent
