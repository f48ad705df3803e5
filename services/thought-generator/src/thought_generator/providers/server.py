"""One call to a server of the Messages API, by the official SDK."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiohttp import ClientError
from anthropic import (
    AnthropicError,
    AsyncAnthropic,
    AsyncAPIResponse,
    DefaultAioHttpClient,
)
from httpx2 import AsyncByteStream, HTTPError, Limits, Response, Timeout

from thought_generator.errors import (
    EngineAnswerCut,
    EngineAnswerUnusable,
    EngineEndUnknown,
    EngineUnavailable,
)
from thought_generator.models.prompts import Usage
from thought_generator.providers.failures import Failed, failure_of, failure_within
from thought_generator.providers.messages import Answer, Flood, bounded, events, parse

CONNECT_TIMEOUT_S = 5.0
# Until the answer begins, and between the parts of one that is not streamed: a model
# on a laptop reads its prompt for a while.
CALL_TIMEOUT_S = 60.0
# Between two events of a stream: servers send pings while a model is busy.
IDLE_S = 20.0
# After the last event, for the connection to be free for the next call.
LINGER_S = 0.25
# Many servers close a connection that was idle for 5 s; one that we closed before
# cannot meet that with a call under way.
KEEP_ALIVE_S = 4.0
MAX_CONNECTIONS = 100
# Of a refusal's body, which the SDK reads to its end, for the log.
MAX_REFUSAL_BYTES = 65_536


class _Beginning(AsyncByteStream):
    """As much of a body as is read of a refusal."""

    def __init__(self, body: AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for chunk in self._body:
            size_bytes += len(chunk)
            yield chunk
            if size_bytes > MAX_REFUSAL_BYTES:
                return

    async def aclose(self) -> None:
        """Lets go of the connection."""
        await self._body.aclose()


async def _shorten_refusal(response: Response) -> None:
    if response.is_error:
        assert isinstance(response.stream, AsyncByteStream)
        response.stream = _Beginning(response.stream)


class MessagesServer:
    """Asks once, streaming; takes a whole answer too."""

    def __init__(self, api_key: str, base_url: str | None) -> None:
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            timeout=Timeout(CALL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # The SDK would wait as long as a server says, be it for days.
            max_retries=0,
            http_client=DefaultAioHttpClient(
                limits=Limits(
                    max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEP_ALIVE_S
                ),
                event_hooks={"response": [_shorten_refusal]},
            ),
        )
        # The bytes as they come: the SDK's own reading takes nothing but a stream,
        # and needs half as much time again.
        self._create = self._client.messages.with_streaming_response.create

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    async def ask(self, body: dict[str, Any], most: Usage, deadline_s: float) -> Answer:
        """An answer that came to its end by `deadline_s` of the loop's clock.

        Raises:
            Failed: it did not; its `error` says what the call may have cost.
        """
        answer = Answer(most)
        why = "the stream ended before its end"
        try:
            async with (
                asyncio.timeout_at(deadline_s),
                self._create(**body, stream=True) as response,
            ):
                await _read(response, answer)
        except AnthropicError as error:
            raise failure_of(error) from error
        except TimeoutError:
            why = "no whole answer in time"
        except (HTTPError, ClientError) as error:
            why = f"{type(error).__name__}: the connection was lost"
        except Flood as error:
            why = str(error)
        except ValueError:
            why = "an event is no JSON object"
        if answer.error is not None and not answer.begun:
            raise failure_within(answer.error)
        # What goes wrong behind the last event takes nothing from the answer.
        if not answer.ended:
            raise _cut(answer, answer.error or why)
        return answer


async def _read(response: AsyncAPIResponse[Any], answer: Answer) -> None:
    kind = response.headers.get("content-type", "").lower()
    if kind.startswith("text/event-stream"):
        await _read_stream(response, answer)
        return
    # Some servers do not stream, whatever they are asked.
    raw = b"".join([chunk async for chunk in bounded(response.iter_bytes())])
    try:
        answer.take_message(parse(raw))
    except orjson.JSONDecodeError:
        # Without a length nothing else tells a message that was cut.
        if raw.strip()[:1] in (b"", b"{"):
            cut = EngineAnswerCut("the answer was cut: it is half a message")
            raise Failed(cut, passes=False, outage=True) from None
        raise _no_message(kind) from None
    except ValueError:
        raise _no_message(kind) from None


def _no_message(kind: str) -> Failed:
    error = EngineAnswerUnusable(f"the server answered with no message, but {kind}")
    return Failed(error, passes=False, outage=True)


async def _read_stream(response: AsyncAPIResponse[Any], answer: Answer) -> None:
    now_s = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(IDLE_S) as limit:
            async for data in events(bounded(response.iter_bytes())):
                # Some servers say in words of their own that this was all.
                if not answer.ended:
                    answer.take_event(parse(data))
                if answer.error is not None:
                    return
                limit.reschedule(now_s() + (LINGER_S if answer.ended else IDLE_S))
    except TimeoutError:
        if not answer.ended:
            raise


def _cut(answer: Answer, why: str) -> Failed:
    """After its last count the price of an answer is known, before it is not."""
    error: EngineUnavailable
    if answer.stop_reason:
        error = EngineAnswerUnusable(f"the answer was cut: {why}", answer.usage)
    elif answer.begun:
        error = EngineAnswerCut(f"the answer was cut: {why}")
        error.usage = answer.usage
    else:
        error = EngineEndUnknown(why)
    return Failed(error, passes=False, outage=True)
