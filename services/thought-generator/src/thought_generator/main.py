"""thought-generator: the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from servicekit.app import create_app
from servicekit.server import run_service
from servicekit.settings import ServiceSettings
from thought_generator.context import Context
from thought_generator.routes import agents, converse, live, thoughts
from thought_generator.routes.conversion import reply_json, thought_json
from thought_generator.settings import Settings

VERSION = "0.1.0"


def make_app(settings: ServiceSettings) -> FastAPI:
    """The application, wired by its settings."""
    assert isinstance(settings, Settings)
    context = Context(settings, thought_json, reply_json)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await context.open()
        yield
        await context.close()

    app = create_app(
        title="thought-generator",
        version=VERSION,
        settings=settings,
        routers=[agents.router, converse.router, live.router, thoughts.router],
        lifespan=lifespan,
        checks={"database": context.database.check},
    )
    app.state.context = context
    app.state.on_stop = context.let_go
    return app


def main() -> None:
    """The command `thought-generator`."""
    run_service("thought-generator", "thought_generator", Settings, make_app)
