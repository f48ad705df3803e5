"""A collector of OpenTelemetry's traces: its own protobuf, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Span:
    """A span as it was received; ids in hexadecimal, no parent is empty."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool


@dataclass
class Collector:
    """Keeps what it is sent, while its `status` is 200."""

    address: str = ""
    status: int = 200
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def of(self, trace_id: str) -> dict[str, Span]:
        """The spans of a trace, by their ids."""
        return {span.span_id: span for span in self.spans if span.trace_id == trace_id}

    async def take(self, request: web.Request) -> web.Response:
        """`POST /v1/traces`."""
        body = await request.read()
        self.bodies.append(body)
        if self.status != 200:
            return web.Response(status=self.status)
        assert request.content_type == PROTOBUF
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value for each in resource.resource.attributes}
            service = named["service.name"].string_value
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        service,
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.status.code == span.status.STATUS_CODE_ERROR,
                    )
                    for span in scope.spans
                ]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type=PROTOBUF)


@asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    """One of its own, ended with the block."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
