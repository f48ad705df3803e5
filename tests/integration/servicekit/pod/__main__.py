"""Its process."""

import os

import structlog
from fastapi import FastAPI
from tests.integration.servicekit.pod.app import PACKAGE, make_app

from servicekit.server import run_service
from servicekit.settings import ServiceSettings

log = structlog.get_logger()


def make_process(settings: ServiceSettings) -> FastAPI:
    """The application, that says when it lets go, or fails to (LET_GO=fails)."""
    app = make_app(settings)

    async def let_go() -> None:
        log.info("letting go")
        if os.environ.get("LET_GO") == "fails":
            raise ConnectionError("the database is away")

    app.state.on_stop = let_go
    return app


run_service("pod", PACKAGE, ServiceSettings, make_process)
