"""Moderation in OpenAI's shapes, for clients that were written for it.

https://developers.openai.com/api/docs/api-reference/moderations/create
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from contracts.base import DEFAULT_AGENT_ID, AgentId, Answer, Contract, Text, Unit
from contracts.safety import MAX_BATCH_ITEMS, MAX_CONTENT_CHARS, VerdictName

__all__ = [
    "MODERATION_MODEL",
    "Moderation",
    "ModerationRequest",
    "ModerationResponse",
    "TextPart",
]

# What answers where the request names no model: the policy in force.
MODERATION_MODEL = "claude-agi-safety"
MAX_MODEL_CHARS = 128
# What stands between the parts of one content: words do not run together.
_BETWEEN_PARTS = "\n"


def _no_image(kind: object) -> object:
    if kind == "image_url":
        raise ValueError("images are not judged here, only texts")
    return kind


class TextPart(Contract):
    """A part of a content; images are refused."""

    type: Annotated[Literal["text"], BeforeValidator(_no_image)]
    text: Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)]


_Content = Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)]


def _form(given: object) -> str | None:
    if isinstance(given, str):
        return "text"
    if isinstance(given, list):
        parts = bool(given) and isinstance(given[0], dict | TextPart)
        return "parts" if parts else "texts"
    return None


_Input = Annotated[
    Annotated[_Content, Tag("text")]
    | Annotated[
        list[_Content], Tag("texts"), Field(min_length=1, max_length=MAX_BATCH_ITEMS)
    ]
    | Annotated[
        list[TextPart], Tag("parts"), Field(min_length=1, max_length=MAX_BATCH_ITEMS)
    ],
    Discriminator(
        _form,
        custom_error_type="moderation_input",
        custom_error_message="must be a text, a list of texts or a list of parts",
    ),
]


class ModerationRequest(Contract):
    """Texts that want a moderation each; the parts of one list are one content.

    `model` is said back and chooses nothing. `agent_id` is ours: whose texts they
    are, for the record and for the key's rights.
    """

    input: _Input
    model: Annotated[str, Field(max_length=MAX_MODEL_CHARS)] | None = None
    agent_id: AgentId = DEFAULT_AGENT_ID

    @property
    def contents(self) -> list[str]:
        """What is judged, one for each result."""
        if isinstance(self.input, str):
            return [self.input]
        texts = [each for each in self.input if isinstance(each, str)]
        parts = [each.text for each in self.input if isinstance(each, TextPart)]
        return texts or [_BETWEEN_PARTS.join(parts)]

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModerationRequest":
        if any(len(content) > MAX_CONTENT_CHARS for content in self.contents):
            raise ValueError(f"the parts have more than {MAX_CONTENT_CHARS} characters")
        return self


class Moderation(Answer):
    """One content: OpenAI's categories and ours, each under its own name.

    `flagged` is whether anything was found, whatever `verdict` says of it;
    `decision_id` names the decision on record.
    """

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, Unit]
    category_applied_input_types: dict[str, list[Literal["text"]]]
    verdict: VerdictName
    decision_id: str


class ModerationResponse(Answer):
    """Moderations in the order of the texts."""

    id: str
    model: str
    results: list[Moderation]
