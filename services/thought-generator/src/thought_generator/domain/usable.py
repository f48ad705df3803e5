"""What a thought's text must be, whoever made it."""

from contextlib import suppress
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from contracts.base import Text
from contracts.memory import MAX_CONTENT_CHARS
from thought_generator.errors import EngineAnswerUnusable

THOUGHT: TypeAdapter[str] = TypeAdapter(
    Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)]
)


def check_usable(content: str) -> None:
    """What memory could not take would be committed and never delivered."""
    try:
        THOUGHT.validate_python(content)
    except ValidationError as error:
        (first, *_) = error.errors()
        raise EngineAnswerUnusable(first["msg"]) from None


def is_usable(content: str) -> bool:
    """The same, as an answer."""
    with suppress(EngineAnswerUnusable):
        check_usable(content)
        return True
    return False
