"""The Model Context Protocol, spoken by its own client to a running service."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from tests.integration.test_memory.replicas import (
    BLOCKED,
    OUTAGE,
    PREFIX,
    Fields,
    Process,
    SafetyServer,
    process,
)

from contracts.base import MAX_PAGE_SIZE
from contracts.memory import MAX_CONTENT_CHARS
from memory_service.routes.tools import TOOLS
from servicekit.app import MAX_BODY_BYTES

KEYS = [
    {"key": "reader", "scopes": ["read"], "agents": ["*"]},
    {"key": "writer", "scopes": ["write"], "agents": ["*"]},
    {"key": "both", "scopes": ["read", "write"], "agents": ["*"]},
    {"key": "nothing", "scopes": [], "agents": ["*"]},
    {"key": "ann", "scopes": ["read", "write"], "agents": ["ann"]},
]
# Clients that shake hands, and those of the revision without sessions.
ERAS = ["legacy", "2026-07-28"]
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@pytest_asyncio.fixture(scope="module")
async def guarded(
    memory_dsn: str, safety_server: SafetyServer
) -> AsyncIterator[Process]:
    settings = {"SAFETY_URL": safety_server.address, "API_KEYS": json.dumps(KEYS)}
    async with process(memory_dsn, **settings) as running:
        yield running


class Model:
    """A model's view of the tools."""

    def __init__(self, client: Client, agent_id: str) -> None:
        self.client = client
        self.agent_id = agent_id

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """What a tool answers, errors included."""
        answer = await self.client.call_tool(
            tool, {"agent_id": self.agent_id} | arguments
        )
        assert isinstance(answer, CallToolResult)
        return answer

    async def do(self, tool: str, **arguments: Any) -> Fields:
        """The answer, which is the same in both of its forms."""
        answer = await self.call(tool, **arguments)
        (block,) = answer.content
        assert block.type == "text"
        assert not answer.is_error, block.text
        told: Fields = answer.structured_content
        assert json.loads(block.text) == told
        return told

    async def fail(self, tool: str, **arguments: Any) -> str:
        """What the model is told of an error."""
        answer = await self.call(tool, **arguments)
        assert answer.is_error
        (block,) = answer.content
        assert block.type == "text"
        return block.text


@asynccontextmanager
async def model(
    service: Process, agent_id: str, key: str = "both", era: str = "legacy"
) -> AsyncIterator[Model]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{service.port}/mcp"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield Model(client, agent_id)


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_remembered_is_recalled_and_forgotten(
    guarded: Process, agent: str, era: str
) -> None:
    async with model(guarded, agent, era=era) as ada:
        told = await ada.do(
            "remember",
            content="Ada keeps bees behind the old mill",
            memory_type="semantic",
            importance=0.7,
            timestamp="2026-03-01T10:00:00Z",
            metadata={"source": "letter"},
        )
        assert told["importance"] == 0.7
        assert told["metadata"] == {"source": "letter"}
        await ada.do("remember", content="The trains were late on Tuesday")
        found = (await ada.do("recall", query="who keeps bees?", limit=1))["memories"]
        assert [memory["id"] for memory in found] == [told["id"]]
        assert found[0]["score"] > 0
        gone = await ada.do("forget", id=told["id"])
        assert gone == {}
        left = await ada.do("recall", query="who keeps bees?")
        assert told["id"] not in [memory["id"] for memory in left["memories"]]
        assert "memory" in await ada.fail("forget", id=told["id"])


async def test_a_forgotten_value_stays_forgotten(guarded: Process, agent: str) -> None:
    async with model(guarded, agent) as ada:
        await ada.do("remember", content="Carla Rossi lives at the harbour")
        await ada.do("remember", content="the harbour is quiet in winter")
        counts = await ada.do("forget", value="Carla Rossi")
        assert counts["memories"] == 1
        left = (await ada.do("recent"))["memories"]
        assert [m["content"] for m in left] == ["the harbour is quiet in winter"]
        told = await ada.fail("remember", content="I met Carla Rossi today")
        assert "forgotten" in told


async def test_it_is_the_memory_of_the_other_calls(
    guarded: Process, agent: str
) -> None:
    async with (
        model(guarded, agent) as ada,
        guarded.client() as http,
    ):
        told = await ada.do("remember", content="a key lies under the mat")
        headers = {"Authorization": "Bearer both"}
        answer = await http.get(
            f"{PREFIX}/{told['id']}", params={"agent_id": agent}, headers=headers
        )
        stored = answer.json()
        assert {name: stored[name] for name in told} == told
        assert (stored["agent_id"], stored["evidence"]) == (agent, "told")


async def test_recent_pages(guarded: Process, agent: str) -> None:
    words = ["apple", "bridge", "candle", "dragon", "engine"]
    async with model(guarded, agent) as ada:
        for word in words:
            await ada.do("remember", content=f"the {word} of the day")
        seen: list[str] = []
        cursor: Fields = {}
        while True:
            page = await ada.do("recent", limit=2, **cursor)
            seen += [memory["content"] for memory in page["memories"]]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == [f"the {word} of the day" for word in reversed(words)]
        await ada.do("remember", content="how to swim", memory_type="procedural")
        only = await ada.do("recent", memory_type="procedural")
        assert [memory["content"] for memory in only["memories"]] == ["how to swim"]


async def test_recall_takes_filters(guarded: Process, agent: str) -> None:
    async with model(guarded, agent) as ada:
        await ada.do("remember", content="tea with Bob", user_id="bob")
        await ada.do("remember", content="tea with Cy", user_id="cy")
        found = await ada.do(
            "recall", query="tea", mode="semantic", filters={"user_id": "cy"}
        )
        assert [memory["content"] for memory in found["memories"]] == ["tea with Cy"]


@pytest.mark.parametrize("era", ERAS)
async def test_the_tools_say_what_they_take(guarded: Process, era: str) -> None:
    async with model(guarded, "default", era=era) as ada:
        tools = {tool.name: tool for tool in (await ada.client.list_tools()).tools}
    assert set(tools) == {"remember", "recall", "forget", "recent"}
    for tool in tools.values():
        assert tool.description
        properties = tool.input_schema["properties"]
        assert properties["agent_id"]["default"] == "default"
        assert all("description" in field for field in properties.values())
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations is not None
        reads = tool.name in ("recall", "recent")
        assert tool.annotations.read_only_hint is reads
        assert tool.annotations.destructive_hint is (tool.name == "forget")
    assert tools["remember"].input_schema["required"] == ["content"]


async def test_without_an_agent_it_is_the_default_one(
    guarded: Process, agent: str
) -> None:
    async with model(guarded, agent, key="ann") as ada:
        answer = await ada.client.call_tool("recent", {})
        assert isinstance(answer, CallToolResult)
        assert answer.is_error
        (block,) = answer.content
        assert block.type == "text"
        assert "'default'" in block.text


@pytest.mark.parametrize(
    ("key", "tool", "arguments", "words"),
    [
        ("reader", "remember", {"content": "x"}, "scope 'write'"),
        ("reader", "forget", {"id": str(uuid4())}, "scope 'write'"),
        ("writer", "recall", {"query": "x"}, "scope 'read'"),
        ("writer", "recent", {}, "scope 'read'"),
        ("ann", "remember", {"content": "x"}, "does not reach the agent"),
        ("ann", "forget", {"id": str(uuid4())}, "does not reach the agent"),
        ("ann", "recall", {"query": "x"}, "does not reach the agent"),
        ("ann", "recent", {}, "does not reach the agent"),
    ],
)
async def test_a_key_may_do_what_it_may_elsewhere(
    guarded: Process,
    agent: str,
    key: str,
    tool: str,
    arguments: Fields,
    words: str,
) -> None:
    async with model(guarded, agent, key) as ada:
        assert words in await ada.fail(tool, **arguments)


@pytest.mark.parametrize("key", [None, "unknown"])
async def test_without_a_known_key_nothing(guarded: Process, key: str | None) -> None:
    headers = JSON | ({"Authorization": f"Bearer {key}"} if key else {})
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=_message(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_without_any_scope(guarded: Process) -> None:
    headers = JSON | {"Authorization": "Bearer nothing"}
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=_message(), headers=headers)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(":forbidden")


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("remember", {}, "content: Field required"),
        ("remember", {"content": ""}, "content: "),
        ("remember", {"content": 3}, "content: "),
        ("remember", {"content": "a\0b"}, "NUL"),
        ("remember", {"content": "x" * (MAX_CONTENT_CHARS + 1)}, "at most 32768"),
        ("remember", {"content": "x", "importance": 2}, "importance: "),
        ("remember", {"content": "x", "timestamp": "yesterday"}, "RFC 3339"),
        ("remember", {"content": "x", "metadata": []}, "metadata: "),
        ("remember", {"content": "x", "metadata": {"\0": 1}}, "NUL"),
        ("remember", {"content": "x", "colour": "blue"}, "colour: "),
        ("remember", {"content": "x", "agent_id": "a b"}, "agent_id: "),
        ("remember", {"content": BLOCKED}, "blocked"),
        ("remember", {"content": OUTAGE}, "verdict"),
        ("recall", {"query": " "}, "must not be blank"),
        ("recall", {"query": "x" * 100_000}, "at most 8192"),
        ("recall", {"query": "x", "limit": MAX_PAGE_SIZE + 1}, "limit: "),
        ("recall", {"query": "x", "limit": True}, "limit: "),
        ("recall", {"query": "x", "mode": "psychic"}, "mode: "),
        ("recall", {"query": "x", "filters": {"colour": "blue"}}, "filters.colour"),
        ("recent", {"cursor": "not one of ours"}, "cursor"),
        ("recent", {"limit": 0}, "limit: "),
        ("forget", {}, "either an id or a value"),
        ("forget", {"id": str(uuid4()), "value": "x"}, "either an id or a value"),
        ("forget", {"value": " "}, "value: "),
        ("forget", {"id": "no-id"}, "id: "),
        ("forget", {"id": str(uuid4())}, "no memory"),
    ],
)
async def test_what_a_tool_cannot_do_it_says_in_words(
    guarded: Process, agent: str, tool: str, arguments: Fields, words: str
) -> None:
    async with model(guarded, agent) as ada:
        told = await ada.fail(tool, **arguments)
        assert words in told
        assert len(told) < 1000
        assert (await ada.do("recent"))["memories"] == []


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_tool(guarded: Process, agent: str, era: str) -> None:
    async with model(guarded, agent, era=era) as ada:
        with pytest.raises(MCPError, match="unknown tool: 'brainwash'"):
            await ada.call("brainwash")


def _message(method: str = "tools/list", **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(message).encode()


def _modern(method: str = "tools/list", **params: Any) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": ERAS[1],
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return _message(method, _meta=meta, **params)


SURROGATE = {"name": "remember", "arguments": {"content": "\ud800"}}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"\xff\xfe", 400, -32700),
        (b"[" * 100_000, 400, -32700),
        (b"[]", 400, None),
        (b"3", 400, None),
        (b"{}", 400, None),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}', 400, None),
        (_message("tools/call"), 200, -32602),
        (_message("tools/call", name=3), 200, -32602),
        (_message("tools/call", name="recent", arguments=[]), 200, -32602),
        (_message("tools/call", name="\0"), 200, -32602),
        (_message("tools/call", **SURROGATE), 400, -32700),
        (_message("no/such"), 200, -32601),
        (_message("x" * 100_000), 200, -32601),
    ],
)
@pytest.mark.parametrize("era", ERAS)
async def test_a_body_that_is_no_message(
    guarded: Process, body: bytes, status: int, code: int | None, era: str
) -> None:
    headers = JSON | {"Authorization": "Bearer both", "MCP-Protocol-Version": era}
    if era == ERAS[0]:
        del headers["MCP-Protocol-Version"]
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=body, headers=headers)
    if era == ERAS[0]:
        assert answer.status_code == status
        assert code in (None, answer.json()["error"]["code"])
    else:
        # This revision names its version in the message as well.
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] < 0


async def test_half_a_character(guarded: Process, agent: str) -> None:
    body = _modern("tools/call", **SURROGATE)
    name = _modern("tools/call", name="\ud800", arguments={})
    headers = JSON | {"Authorization": "Bearer both", "MCP-Protocol-Version": ERAS[1]}
    headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "remember"}
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"]["isError"], answer.text
        assert (await http.post("/mcp", content=name, headers=headers)).is_client_error


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_there_are_no_sessions_to_open_or_end(
    guarded: Process, method: str
) -> None:
    headers = {"Authorization": "Bearer both", "Accept": "text/event-stream"}
    async with guarded.client() as http:
        answer = await http.request(method, "/mcp", headers=headers)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_another_content_type(guarded: Process) -> None:
    headers = {"Authorization": "Bearer both", "Content-Type": "text/plain"}
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=_message(), headers=headers)
    assert answer.status_code == 422
    assert "application/json" in answer.json()["detail"]


async def test_a_client_that_takes_no_json(guarded: Process) -> None:
    headers = JSON | {"Authorization": "Bearer both", "Accept": "text/html"}
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=_message(), headers=headers)
    assert answer.status_code == 406


async def test_a_body_beyond_the_limit(guarded: Process) -> None:
    headers = JSON | {"Authorization": "Bearer both"}
    body = _message("tools/call", name="recall", arguments={"q": "x" * MAX_BODY_BYTES})
    async with guarded.client() as http:
        answer = await http.post("/mcp", content=body, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_calls_are_counted_by_tool(guarded: Process, agent: str) -> None:
    async with model(guarded, agent) as ada, guarded.client() as http:
        await ada.do("recent")
        await ada.fail("forget", id=str(uuid4()))
        text = (await http.get("/metrics")).text
    calls = "claude_agi_memory_tool_calls_total"
    assert f'{calls}{{outcome="answered",tool="recent"}}' in text
    assert f'{calls}{{outcome="memory-unknown",tool="forget"}}' in text
    assert agent not in text


def test_who_is_never_asked_does_not_load_it() -> None:
    program = "import memory_service.main, sys; assert 'mcp' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert TOOLS
