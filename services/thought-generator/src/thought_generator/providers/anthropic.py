"""The engine `anthropic`: a model behind any server of the Messages API."""

import asyncio
import random
from copy import copy
from typing import Any

import structlog

from thought_generator.errors import EngineAnswerUnusable
from thought_generator.models.prompts import Completion, Prompt, Usage
from thought_generator.prompting import system_text, user_text
from thought_generator.providers.breaker import Breaker
from thought_generator.providers.failures import Failed
from thought_generator.providers.messages import (
    THOUGHT_FORMAT,
    is_formatted,
    thought_of,
)
from thought_generator.providers.server import MessagesServer

ENGINE_NAME = "anthropic"
# Over all tries and the pauses between them.
DEADLINE_S = 75.0
# Pauses before the second and the third try, where the server names none.
PAUSES_S = (0.5, 1.5)
# A server that wants a longer pause is left alone; the caller is told to wait.
MAX_PAUSE_S = 5.0

log = structlog.get_logger()


class AnthropicEngine:
    """Asks a model; what is cut, empty or no text is no thought.

    With `structured` the answer is asked for as JSON of one field, which keeps
    preambles out, until the server shows that it does not know how.
    """

    name = ENGINE_NAME
    costs_money = True

    def __init__(
        self, model: str, api_key: str, base_url: str | None, structured: bool = True
    ) -> None:
        self.model = model
        self._structured = structured
        self._server = MessagesServer(api_key, base_url)
        self._breaker = Breaker()

    def of_model(self, model: str) -> "AnthropicEngine":
        """Another model behind the same server: its connections and breaker are
        shared, and closed with this one."""
        other = copy(self)
        other.model = model
        return other

    async def close(self) -> None:
        """Lets go of connections."""
        await self._server.close()

    async def think(self, prompt: Prompt, max_tokens: int) -> Completion:
        """One thought. Only what surely cost nothing is tried again.

        Raises:
            EngineUnavailable: the server refused, failed or is left alone.
            EngineEndUnknown: it may have answered, and may have its price.
            EngineAnswerUnusable: it answered, but not with a whole text.
        """
        deadline_s = asyncio.get_running_loop().time() + DEADLINE_S
        pauses = iter(PAUSES_S)
        while True:
            try:
                return await self._attempt(prompt, max_tokens, deadline_s)
            except Failed as failed:
                pause_s = self._pause_s(failed, next(pauses, None), deadline_s)
            await asyncio.sleep(pause_s)

    def _pause_s(self, failed: Failed, own_s: float | None, deadline_s: float) -> float:
        """Before the next try; raises what the caller is to see if there is none."""
        rest_s = self._breaker.rest_s
        if own_s is not None and failed.passes:
            pause_s = max(failed.asked_s or own_s, rest_s)
            late = asyncio.get_running_loop().time() + pause_s > deadline_s
            if pause_s <= MAX_PAUSE_S and not late:
                return pause_s * random.uniform(1.0, 1.25)
        error = failed.error
        error.retry_after_s = max(error.retry_after_s or 0.0, rest_s)
        raise error from failed

    async def _attempt(
        self, prompt: Prompt, max_tokens: int, deadline_s: float
    ) -> Completion:
        probe = self._breaker.enter()
        try:
            completion = await self._ask(prompt, max_tokens, deadline_s)
        except Failed as failed:
            if failed.outage:
                asked_s = failed.asked_s or 0.0
                self._breaker.failed(probe, asked_s if asked_s > MAX_PAUSE_S else None)
            else:
                self._breaker.answered(probe)
            raise
        except EngineAnswerUnusable:
            self._breaker.answered(probe)
            raise
        except BaseException:
            self._breaker.left(probe)
            raise
        self._breaker.answered(probe)
        return completion

    async def _ask(
        self, prompt: Prompt, max_tokens: int, deadline_s: float
    ) -> Completion:
        structured = self._structured
        system, user = system_text(prompt), user_text(prompt)
        # A text of n bytes has at most n tokens.
        most = Usage(len(system.encode()) + len(user.encode()), max_tokens)
        body = self._body(system, user, max_tokens, structured)
        try:
            answer = await self._server.ask(body, most, deadline_s)
        except Failed as failed:
            if not (structured and failed.rejects_format):
                raise
            self._ask_for_plain_text("the server refused the format")
            return await self._ask(prompt, max_tokens, deadline_s)
        text = thought_of(answer, structured)
        if structured and not is_formatted(answer):
            self._ask_for_plain_text("the server passed over the format")
        return Completion(
            text,
            answer.stop_reason,
            ENGINE_NAME,
            answer.model or self.model,
            answer.usage,
        )

    def _body(
        self, system: str, user: str, max_tokens: int, structured: bool
    ) -> dict[str, Any]:
        # What is stable stands first and is marked: a server that caches prompts
        # reads it at a tenth of the price.
        stable = {
            "type": "text",
            "text": system,
            "cache_control": {"type": "ephemeral"},
        }
        body = {
            "model": self.model,
            "max_tokens": max_tokens,
            "system": [stable],
            "messages": [{"role": "user", "content": user}],
        }
        return body | {"output_config": THOUGHT_FORMAT} if structured else body

    def _ask_for_plain_text(self, why: str) -> None:
        self._structured = False
        log.info("thoughts are asked for as plain text", model=self.model, why=why)
