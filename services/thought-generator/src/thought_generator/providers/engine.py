"""What every engine offers."""

from typing import Protocol

from thought_generator.models.prompts import Completion, Prompt


class Engine(Protocol):
    """Turns a prompt into a thought."""

    name: str
    """`anthropic` or `offline`."""
    model: str
    costs_money: bool

    async def think(self, prompt: Prompt, max_tokens: int) -> Completion:
        """One thought; raises EngineUnavailable or EngineAnswerUnusable."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
