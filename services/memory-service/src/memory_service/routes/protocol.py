"""What speaks the Model Context Protocol, by its own package."""

from typing import Any

import orjson
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from memory_service import metrics
from memory_service.routes.tools import TOOLS
from servicekit.app import MAX_BODY_BYTES
from servicekit.errors import AppError

INSTRUCTIONS = (
    "The long-term memory of a mind. Recall before answering from what may have been "
    "said earlier; remember what will matter later, once, in full sentences."
)


class Protocol:
    """One server for all requests; each request has its own exchange."""

    def __init__(self, version: str) -> None:
        self._server: Server[dict[str, Any]] = Server(
            "claude-agi-memory",
            version=version,
            title="Claude-AGI's memory",
            instructions=INSTRUCTIONS,
            on_list_tools=_list_tools,
            on_call_tool=_call_tool,
        )

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one POST."""
        # It lives as long as the request: nothing is left when its caller goes away.
        manager = StreamableHTTPSessionManager(
            self._server,
            json_response=True,
            stateless=True,
            max_request_body_size=MAX_BODY_BYTES,
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


async def _list_tools(
    _: ServerRequestContext[Any], __: PaginatedRequestParams | None
) -> ListToolsResult:
    return ListToolsResult(
        tools=[
            Tool(
                name=tool.name,
                title=tool.title,
                description=tool.description,
                input_schema=tool.arguments.model_json_schema(),
                annotations=ToolAnnotations(
                    read_only_hint=tool.scope == "read",
                    destructive_hint=tool.destroys,
                    idempotent_hint=True,
                    open_world_hint=False,
                ),
            )
            for tool in TOOLS.values()
        ]
    )


async def _call_tool(
    context: ServerRequestContext[Any, Any], params: CallToolRequestParams
) -> CallToolResult:
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, f"unknown tool: {params.name!a}")
    assert isinstance(context.request, Request)
    try:
        answer = await tool.call(context.request, params.arguments or {})
    except AppError as error:
        metrics.TOOL_CALLS.labels(tool.name, error.kind).inc()
        return CallToolResult(content=[_text(_words(error))], is_error=True)
    metrics.TOOL_CALLS.labels(tool.name, "answered").inc()
    told = orjson.dumps(answer).decode()
    return CallToolResult(content=[_text(told)], structured_content=answer)


def _words(error: AppError) -> str:
    return f"{error.title} {error.detail}".strip()


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
