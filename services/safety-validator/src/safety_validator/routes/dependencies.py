"""What routes are given: coroutines, for FastAPI hands plain functions to threads."""

from typing import Annotated

from fastapi import Depends, Request

from safety_validator.context import Context
from servicekit.auth import Caller, caller_with

__all__ = ["AnyCaller", "InContext", "Reader"]


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def _any_caller(request: Request) -> Caller:
    """Who stores may ask, and who reads may ask: a verdict gives nothing away."""
    caller: Caller = request.scope["caller"]
    caller.check_scope("write" if "write" in caller.scopes else "read")
    return caller


InContext = Annotated[Context, Depends(_context)]
AnyCaller = Annotated[Caller, Depends(_any_caller)]
Reader = Annotated[Caller, caller_with("read")]
