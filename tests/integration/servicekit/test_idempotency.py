"""`Idempotency-Key`: the work is done once, however often it is asked for."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.integration.servicekit.pod.app import PACKAGE, Note, make_app
from tests.integration.servicekit.servers import Cluster, in_schema
from tests.unit.servicekit.small_app import client_of, make_settings, problem_of

from servicekit.database import Database
from servicekit.errors import Conflict
from servicekit.idempotency import Idempotency, IdempotencyKey
from servicekit.migrations import apply_migrations

NOTES = "/api/pod/notes"


@pytest_asyncio.fixture
async def notes(cluster: Cluster, name: str) -> AsyncIterator[Database]:
    """A Database whose schema has the tables, and nothing in them."""
    dsn = in_schema(cluster.primary.dsn(name), await cluster.create_schema(name))
    await asyncio.to_thread(apply_migrations, dsn, PACKAGE)
    database = Database("test", PACKAGE, SecretStr(dsn), None)
    await database.open()
    yield database
    await database.close()


@pytest_asyncio.fixture
async def client(notes: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_app(make_settings())
    app.state.database = notes
    async with client_of(app) as made:
        yield made


async def store(
    client: httpx2.AsyncClient, content: str, key: str | None = None
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post(NOTES, json={"content": content}, headers=headers)


async def count(client: httpx2.AsyncClient) -> int:
    return int((await client.get(NOTES)).text)


async def test_the_same_request_again_gets_the_first_answer(
    client: httpx2.AsyncClient,
) -> None:
    first = await store(client, "a", "key-1")
    for _ in range(3):
        again = await store(client, "a", "key-1")
        assert (again.status_code, again.content) == (200, first.content)
    assert await count(client) == 1


async def test_without_a_key_or_with_others_it_is_other_work(
    client: httpx2.AsyncClient,
) -> None:
    for key in (None, None, "key-1", "KEY-1", "key-1 x", "x" * 255):
        assert (await store(client, "a", key)).status_code == 200
    assert await count(client) == 6


async def test_the_same_key_for_another_request_is_a_conflict(
    client: httpx2.AsyncClient,
) -> None:
    await store(client, "a", "key-1")
    other = await store(client, "b", "key-1")
    assert other.status_code == 409
    assert problem_of(other)["type"].endswith(":conflict")
    assert await count(client) == 1


async def test_of_many_at_once_one_does_the_work(client: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(store(client, "a", "key-1") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await count(client) == 1


async def test_of_many_at_once_with_other_bodies_one_wins(
    client: httpx2.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *(store(client, str(number), "key-1") for number in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 11
    assert await count(client) == 1


async def test_work_that_failed_may_be_tried_again(
    client: httpx2.AsyncClient, notes: Database
) -> None:
    await notes.fetch("ALTER TABLE notes ADD CHECK (content <> 'now') NOT VALID")
    assert (await store(client, "now", "key-1")).status_code == 500
    await notes.fetch("ALTER TABLE notes DROP CONSTRAINT notes_content_check")
    assert (await store(client, "now", "key-1")).status_code == 200
    assert await count(client) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_bounds(client: httpx2.AsyncClient, key: str) -> None:
    response = await store(client, "a", key)
    assert response.status_code == 422
    problem_of(response)


async def test_what_cannot_be_stored_is_invalid(client: httpx2.AsyncClient) -> None:
    response = await store(client, "a\x00b", "key-1")
    assert response.status_code == 422
    assert problem_of(response)["type"].endswith(":invalid-request")
    assert (await store(client, "a", "key-1")).status_code == 200


async def test_a_key_belongs_to_an_operation_of_an_agent(notes: Database) -> None:
    idempotency = Idempotency(notes)
    request, other = Note(content="a"), Note(content="b")
    own = IdempotencyKey.of("ada", "store", "key-1", request)
    async with notes.transaction() as connection:
        await own.keep(connection, "done")
    assert await idempotency.first_answer(own) == "done"
    for agent, operation in (("bob", "store"), ("ada", "forget")):
        key = IdempotencyKey.of(agent, operation, "key-1", other)
        assert await idempotency.first_answer(key) is None
    with pytest.raises(Conflict):
        await idempotency.first_answer(
            IdempotencyKey.of("ada", "store", "key-1", other)
        )


async def test_old_keys_may_be_used_anew(notes: Database) -> None:
    idempotency = Idempotency(notes)
    old, young = (
        IdempotencyKey.of("ada", "store", key, Note(content="a"))
        for key in ("old", "young")
    )
    async with notes.transaction() as connection:
        await old.keep(connection, "then")
        await connection.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '24 h 1 s'"
        )
        await young.keep(connection, "now")
    await idempotency.prune()
    assert await idempotency.first_answer(old) is None
    assert await idempotency.first_answer(young) == "now"
