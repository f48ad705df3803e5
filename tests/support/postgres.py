"""A mind's own PostgreSQL, asked by its superuser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from devstack.database import DATABASE
from devstack.postgres import Postgres
from tests.support.mind import Mind


@asynccontextmanager
async def superuser(
    mind: Mind, database: str = DATABASE, *, replica: bool = False
) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the primary, or to the replica."""
    folder = mind.folder / "data"
    primary = Postgres.primary(folder)
    asked = Postgres.replica(folder, of=primary) if replica else primary
    connection = await asked.connect(database)
    try:
        yield connection
    finally:
        await connection.close()
