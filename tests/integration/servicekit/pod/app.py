"""Its application: notes that are stored once a key, beside the small calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
from fastapi import FastAPI, Request
from pydantic import Field
from tests.unit.servicekit.small_app import router as small_router

from contracts.base import Contract
from servicekit.app import api_router, create_app
from servicekit.background import Background
from servicekit.database import Database
from servicekit.idempotency import Idempotency, IdempotencyHeader, IdempotencyKey
from servicekit.settings import ServiceSettings

PACKAGE = "tests.integration.servicekit.pod"

router = api_router("/api/pod", "pod")


class Note(Contract):
    """A note to store; its text may be what PostgreSQL refuses."""

    content: Annotated[str, Field(max_length=1000)]


class Stored(Contract):
    """A note that is stored."""

    id: int
    content: str


@router.post("/notes")
async def store(note: Note, request: Request, key: IdempotencyHeader = None) -> Stored:
    """Stores it, once for a key."""
    database: Database = request.app.state.database
    idempotency = Idempotency(database)
    own = IdempotencyKey.of("default", "store", key, note) if key else None
    if own and (first := await idempotency.first_answer(own)) is not None:
        return Stored.model_validate_json(first)
    try:
        async with database.transaction() as connection:
            number = await connection.fetchval(
                "INSERT INTO notes (content) VALUES ($1) RETURNING id", note.content
            )
            stored = Stored(id=number, content=note.content)
            if own:
                await own.keep(connection, stored.model_dump_json())
    except asyncpg.UniqueViolationError:
        assert own is not None
        first = await idempotency.first_answer(own)
        assert first is not None
        return Stored.model_validate_json(first)
    return stored


@router.get("/notes")
async def count(request: Request) -> int:
    """How many there are."""
    database: Database = request.app.state.database
    (row,) = await database.fetch("SELECT count(*) AS count FROM notes")
    return int(row["count"])


def make_app(settings: ServiceSettings) -> FastAPI:
    """The application, wired by its settings."""
    database = Database(
        "pod", PACKAGE, settings.database_url, settings.database_replica_url
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        background = Background()
        background.start("connect", database.open)
        yield
        await background.close()
        await database.close()

    app = create_app(
        title="pod",
        version="1",
        settings=settings,
        routers=[router, small_router],
        lifespan=lifespan,
        checks={"database": database.check},
    )
    app.state.database = database
    return app
