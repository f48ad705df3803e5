"""Structured logs: one JSON object a line on standard output."""

import json
import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from contracts.call import request_id, traceparent

__all__ = ["configure_logs"]


def configure_logs(service: str, level: str) -> None:
    """Routes structlog and the standard library's loggers into JSON lines."""

    def add_call(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        if (own_id := request_id.get()) is not None:
            event["request_id"] = own_id
        if (trace := traceparent.get()) is not None:
            event["traceparent"] = trace
        return event

    shared: list[Any] = [
        add_call,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dumps_text),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # What libraries say of each call is noise; these tell of a process's life.
    for name in ("uvicorn", "yoyo"):
        logging.getLogger(name).setLevel(level)


def _dumps(value: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(value, default=repr)
    except TypeError:
        # Lone surrogates or huge numbers: what is logged must never fail.
        return json.dumps(value, default=repr, skipkeys=True).encode()


def _dumps_text(value: Any, **_: Any) -> str:
    return _dumps(value).decode()
