"""Liveness and readiness."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Response

from servicekit.json_route import JsonRoute

__all__ = ["Check", "health_router"]

# A probe waits one second by default; checks run at once and are done before.
CHECK_TIMEOUT_S = 0.8

# None when all is well, else what is missing.
Check = Callable[[], Awaitable[str | None]]


async def _run(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return "no answer in time"
    except Exception as error:  # noqa: BLE001 - whatever a check meets is its answer
        return type(error).__name__


def health_router(checks: Mapping[str, Check]) -> APIRouter:
    """`GET /livez` and `GET /readyz` over the named checks."""
    router = APIRouter(route_class=JsonRoute)

    @router.get("/livez", include_in_schema=False)
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", include_in_schema=False)
    async def readyz(response: Response) -> dict[str, Any]:
        missing = await asyncio.gather(*map(_run, checks.values()))
        states = {
            name: lack or "ok" for name, lack in zip(checks, missing, strict=True)
        }
        ready = not any(missing)
        response.status_code = 200 if ready else 503
        return {"status": "ready" if ready else "not ready", "checks": states}

    return router
