"""The engine `anthropic`: the official SDK, against any server of the Messages API."""

import warnings

from anthropic import (
    AnthropicError,
    APIStatusError,
    AsyncAnthropic,
    DefaultAioHttpClient,
)
from anthropic.types import Message

from thought_generator.errors import EngineAnswerUnusable, EngineUnavailable
from thought_generator.models import Completion, Prompt, Usage
from thought_generator.prompting import system_text, user_text

# A thought is short; a model that takes longer is out.
CALL_TIMEOUT_S = 60.0
# Besides the first try; pauses grow, and `retry-after` is honoured by the SDK.
MAX_RETRIES = 2
# The longest pause a caller is told to make.
MAX_RETRY_AFTER_S = 300.0
WHOLE_ANSWERS = frozenset({"end_turn", "max_tokens", "stop_sequence"})


class AnthropicEngine:
    """Asks a model; what is cut, empty or no text is no thought."""

    name = "anthropic"
    costs_money = True

    def __init__(self, model: str, api_key: str, base_url: str | None) -> None:
        self.model = model
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            timeout=CALL_TIMEOUT_S,
            max_retries=MAX_RETRIES,
            http_client=DefaultAioHttpClient(),
        )

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    async def think(self, prompt: Prompt, max_tokens: int) -> Completion:
        """One thought.

        Raises:
            EngineUnavailable: the server refused, failed or did not answer.
            EngineAnswerUnusable: it answered, but not with a whole text.
        """
        try:
            message = await self._ask(prompt, max_tokens)
        except APIStatusError as error:
            raise _away(error, _retry_after_s(error)) from error
        except AnthropicError as error:
            raise _away(error, None) from error
        return _completion(message)

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


def _away(error: Exception, retry_after_s: float | None) -> EngineUnavailable:
    status = getattr(error, "status_code", None)
    named = type(error).__name__
    away = EngineUnavailable(f"{named} {status}" if status else named)
    if retry_after_s is not None:
        away.retry_after_s = retry_after_s
    return away


def _retry_after_s(error: APIStatusError) -> float | None:
    given = error.response.headers.get("retry-after", "")
    return min(float(given), MAX_RETRY_AFTER_S) if given.isdigit() else None


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
    return Completion(text.strip(), message.stop_reason, message.model, usage)
