"""safety-validator: the process and its application."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from safety_validator.context import Context
from safety_validator.errors import PolicyRefused
from safety_validator.routes import audit, moderations, policy, validate
from safety_validator.settings import Settings
from servicekit.app import create_app as create_service_app
from servicekit.server import run_service
from servicekit.settings import ServiceSettings

__all__ = ["create_app", "main"]


def create_app(settings: ServiceSettings) -> FastAPI:
    """The application; raises PolicyRefused unless the policy holds."""
    assert isinstance(settings, Settings)
    context = Context(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        context.open()
        yield
        await context.close()

    app = create_service_app(
        "safety-validator",
        version("claude-agi-safety-validator"),
        settings,
        (validate.router, moderations.router, policy.router, audit.router),
        lifespan,
        {
            "database": context.database.check,
            "classifier": context.classifier.check,
        },
    )
    app.state.context = context
    return app


def main() -> None:
    """The command line."""
    try:
        run_service("safety-validator", "safety_validator", Settings, create_app)
    except PolicyRefused as error:
        sys.exit(f"safety-validator: the policy is refused: {error}")
