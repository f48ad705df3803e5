"""The offline engine: composes thoughts and replies from memories, without a model.

For trying, testing and load. It quotes and combines what was recalled; it knows
nothing else, and what it says is labelled by the engine's name.
"""

from thought_generator.models.prompts import Completion, Prompt
from thought_generator.providers.composing.composer import compose
from thought_generator.providers.composing.replying import reply

# What vendors give as the usual length of a token in English.
_CHARS_PER_TOKEN = 4


class OfflineEngine:
    """Costs nothing, needs nothing, and never fails."""

    name = "offline"
    model = "composer-1"
    costs_money = False

    async def think(self, prompt: Prompt, max_tokens: int) -> Completion:
        """The same prompt gives the same thought."""
        write = compose if prompt.talk is None else reply
        content = write(prompt, max_tokens * _CHARS_PER_TOKEN)
        return Completion(content, "end_turn", self.name, self.model)

    async def close(self) -> None:
        """There is nothing to let go of."""
