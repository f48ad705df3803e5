"""The engine `anthropic`: the official SDK, against any server of the Messages API."""

import asyncio
import random
import warnings

from aiohttp import ClientConnectorError
from anthropic import (
    AnthropicError,
    APIConnectionError,
    APIStatusError,
    AsyncAnthropic,
    DefaultAioHttpClient,
)
from anthropic.types import Message

from thought_generator.errors import (
    EngineAnswerUnusable,
    EngineEndUnknown,
    EngineUnavailable,
)
from thought_generator.models import Completion, Prompt, Usage
from thought_generator.prompting import system_text, user_text

ENGINE_NAME = "anthropic"
# One call; a thought is short, a model that takes longer is out.
CALL_TIMEOUT_S = 60.0
# Over all tries and the pauses between them.
DEADLINE_S = 75.0
# Pauses before the second and the third try, where the server names none.
PAUSES_S = (0.5, 1.5)
# A server that wants a longer pause is left alone; the caller is told to wait.
MAX_PAUSE_S = 5.0
# The longest wait a caller is told of.
MAX_RETRY_AFTER_S = 300.0
RETRIED_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
WHOLE_ANSWERS = frozenset({"end_turn", "max_tokens", "stop_sequence"})


class AnthropicEngine:
    """Asks a model; what is cut, empty or no text is no thought."""

    name = ENGINE_NAME
    costs_money = True

    def __init__(self, model: str, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            timeout=CALL_TIMEOUT_S,
            # The SDK would wait as long as a server says, be it for days.
            max_retries=0,
            http_client=DefaultAioHttpClient(),
        )

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    async def think(self, prompt: Prompt, max_tokens: int) -> Completion:
        """One thought.

        Raises:
            EngineUnavailable: the server refused, failed or did not answer.
            EngineEndUnknown: it may have answered, and may have its price.
            EngineAnswerUnusable: it answered, but not with a whole text.
        """
        try:
            async with asyncio.timeout(DEADLINE_S):
                return _completion(await self._ask_again(prompt, max_tokens))
        except TimeoutError:
            raise EngineEndUnknown("no answer in time") from None

    async def _ask_again(self, prompt: Prompt, max_tokens: int) -> Message:
        for pause_s in PAUSES_S:
            try:
                return await self._ask(prompt, max_tokens)
            except AnthropicError as error:
                wait_s = _retry_after_s(error) or pause_s
                if not _passes(error) or wait_s > MAX_PAUSE_S:
                    raise _away(error) from error
            await asyncio.sleep(wait_s * random.uniform(1.0, 1.25))
        try:
            return await self._ask(prompt, max_tokens)
        except AnthropicError as error:
            raise _away(error) from error

    async def _ask(self, prompt: Prompt, max_tokens: int) -> Message:
        with warnings.catch_warnings():
            # A model's end of life is the operator's affair, not each thought's.
            warnings.simplefilter("ignore", DeprecationWarning)
            return await self._client.messages.create(
                model=self.model,
                max_tokens=max_tokens,
                system=[
                    {
                        "type": "text",
                        "text": system_text(prompt),
                        "cache_control": {"type": "ephemeral"},
                    }
                ],
                messages=[{"role": "user", "content": user_text(prompt)}],
            )


def _passes(error: AnthropicError) -> bool:
    """Whether the same call may succeed soon."""
    if isinstance(error, APIStatusError):
        return error.status_code in RETRIED_STATUSES
    return isinstance(error, APIConnectionError)


def _away(error: AnthropicError) -> EngineUnavailable:
    status = getattr(error, "status_code", None)
    named = type(error).__name__
    if isinstance(error, APIConnectionError):
        if not _never_sent(error):
            return EngineEndUnknown(f"{named}: the connection was lost")
        asked = error.request.url.copy_with(path="/")
        return EngineUnavailable(f"{named}: no connection to {asked}")
    away = EngineUnavailable(f"{named} {status}" if status else named)
    if (wait_s := _retry_after_s(error)) is not None:
        away.retry_after_s = min(wait_s, MAX_RETRY_AFTER_S)
    return away


def _never_sent(error: APIConnectionError) -> bool:
    """Whatever else cuts a call may have cut it after the model had answered."""
    # httpx2 calls a connection that was lost one that was never made.
    beneath = error.__cause__.__cause__ if error.__cause__ else None
    return isinstance(beneath, ClientConnectorError)


def _retry_after_s(error: AnthropicError) -> float | None:
    if not isinstance(error, APIStatusError):
        return None
    given = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        return None


def _completion(message: Message) -> Completion:
    usage = Usage(
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
        cache_read_input_tokens=message.usage.cache_read_input_tokens,
        cache_creation_input_tokens=message.usage.cache_creation_input_tokens,
    )
    if message.stop_reason not in WHOLE_ANSWERS:
        raise EngineAnswerUnusable(f"stop_reason is {message.stop_reason}", usage)
    text = "".join(block.text for block in message.content if block.type == "text")
    if not text.strip():
        raise EngineAnswerUnusable("the answer is empty", usage)
    return Completion(
        text.strip(), message.stop_reason, ENGINE_NAME, message.model, usage
    )
