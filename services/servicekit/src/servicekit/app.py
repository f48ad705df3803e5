"""The application of a service: routes, probes, metrics, errors, one document."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from servicekit.auth import BEARER_DOCUMENTED, Authenticator
from servicekit.envelope import Envelope
from servicekit.health import Check, health_router
from servicekit.metrics import metrics_router
from servicekit.problems import (
    PROBLEM_RESPONSES,
    document_problems,
    install_problem_handlers,
)
from servicekit.settings import ServiceSettings

__all__ = ["MAX_BODY_BYTES", "JsonRoute", "api_router", "create_app"]

# The longest text a single call carries is 1 MiB, escaped and wrapped.
MAX_BODY_BYTES = 4 * 1024 * 1024

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class _JsonRequest(Request):
    async def json(self) -> Any:
        """The body; orjson also bounds its nesting and refuses lone surrogates."""
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route whose JSON bodies are read by orjson."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The handler, given a request that parses by orjson."""
        handler = super().get_route_handler()

        async def with_orjson(request: Request) -> Response:
            answer: Response = await handler(
                _JsonRequest(request.scope, request.receive)
            )
            return answer

        return with_orjson


class _Application(FastAPI):
    """Bodies are counted, not believed: only so a 413 is worded by us.

    By the length in the head the framework would refuse them in plain text.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(k, v) for k, v in scope["headers"] if k != b"content-length"]
            scope = {**scope, "headers": headers}
        await super().__call__(scope, receive, send)


def api_router(prefix: str, tag: str) -> APIRouter:
    """A router of public calls."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=JsonRoute,
        responses=PROBLEM_RESPONSES,
        dependencies=[BEARER_DOCUMENTED],
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
        title=title,
        version=version,
        lifespan=lifespan,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
    )
    app.add_middleware(
        Envelope,
        authenticator=Authenticator(settings.api_keys, settings.service_key_text),
    )
    install_problem_handlers(app)
    for router in (*routers, health_router(checks), metrics_router()):
        app.include_router(router)
    _document(app)
    return app


def _document(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title, version=app.version, routes=app.routes
            )
            document_problems(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
