"""The application of a service: routes, probes, metrics, errors, one document."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from servicekit.auth import Authenticator, document_keys
from servicekit.envelope import Envelope
from servicekit.health import Check, health_router
from servicekit.json_route import MAX_BODY_BYTES, JsonRoute
from servicekit.metrics import metrics_router
from servicekit.problems import PROBLEM_RESPONSES, document_problems
from servicekit.settings import ServiceSettings
from servicekit.tracing import request_telemetry

__all__ = ["MAX_BODY_BYTES", "JsonRoute", "api_router", "create_app"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class _Application(FastAPI):
    """Routes in the envelope, which does what the framework's layers would do."""

    def __init__(self, authenticator: Authenticator, **settings: Any) -> None:
        super().__init__(**settings)
        self._authenticator = authenticator

    def build_middleware_stack(self) -> ASGIApp:
        """All that a call passes on its way to its route."""
        return Envelope(self.router, self._authenticator)


def api_router(prefix: str, tag: str) -> APIRouter:
    """A router of public calls."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=JsonRoute,
        responses=PROBLEM_RESPONSES,
    )


def create_app(
    title: str,
    version: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    checks: Mapping[str, Check],
) -> FastAPI:
    """The service's application; settings are read once, by the caller."""
    app = _Application(
        Authenticator(settings.api_keys, settings.service_key_text),
        title=title,
        version=version,
        lifespan=lifespan,
        redoc_url=None,
        telemetry=request_telemetry(),
    )
    for router in (*routers, health_router(checks), metrics_router()):
        # An included router would be searched twice for the route of each call.
        app.router.routes.extend(router.routes)
    _document(app)
    return app


def _document(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title, version=app.version, routes=app.routes
            )
            document_problems(document)
            document_keys(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
