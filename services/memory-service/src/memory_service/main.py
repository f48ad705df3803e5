"""memory-service: the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from contracts.clients import SafetyApi
from memory_service import sending
from memory_service.context import Context
from memory_service.routes import forgetting, jobs, mcp, memories, recall, transfer
from memory_service.settings import Settings
from servicekit.app import create_app
from servicekit.server import run_service
from servicekit.settings import ServiceSettings

VERSION = "0.1.0"


def make_app(settings: ServiceSettings, safety: SafetyApi | None = None) -> FastAPI:
    """The application, wired by its settings; tests bring a safety of their own."""
    assert isinstance(settings, Settings)
    context = Context(settings, safety)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await context.open()
        yield
        await context.close()

    app = create_app(
        title="memory-service",
        version=VERSION,
        settings=settings,
        # Fixed paths before those that name a memory.
        routers=[
            recall.router,
            transfer.router,
            jobs.router,
            forgetting.router,
            memories.router,
            mcp.router,
        ],
        lifespan=lifespan,
        checks={
            "database": context.database.check,
            "embedder": context.embedder.check,
            "index": context.feed.check,
        },
    )
    app.state.context = context
    app.state.on_stop = context.let_go
    return app


def main() -> None:
    """The command `memory-service`."""
    run_service(
        "memory-service",
        "memory_service",
        Settings,
        make_app,
        {"import": sending.main},
    )
