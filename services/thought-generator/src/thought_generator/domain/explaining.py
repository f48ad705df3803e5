"""Why a thought was thought: its prompt, put together again from what is kept."""

from uuid import UUID

from thought_generator.domain.recollection import Recollection
from thought_generator.models.prompts import Prompt, Recalled, Turn
from thought_generator.models.thoughts import Basis, Explanation, Thought
from thought_generator.prompting import (
    PROMPT_VERSION,
    context_digest,
    shown_turn,
    stable_parts,
    volatile_parts,
)
from thought_generator.stores.thoughts import ThoughtStore

# Stands where the text of a memory stood that is not there any more, or not known.
FORGOTTEN = "[forgotten]"
UNKNOWN = "[memory does not answer]"

Earlier = dict[int, tuple[str, UUID | None]]


class Explainer:
    """Reads what thought-generator kept, and asks memory for the rest."""

    def __init__(self, thoughts: ThoughtStore, recollection: Recollection) -> None:
        self._thoughts = thoughts
        self._recollection = recollection

    async def explain(self, thought: Thought) -> Explanation | None:
        """The explanation; None if the thought is gone meanwhile."""
        basis = await self._thoughts.basis(thought.agent_id, thought.id)
        if basis is None:
            return None
        earlier: Earlier = {}
        if basis.origin.seqs:
            earlier = await self._thoughts.by_seq(
                thought.agent_id, thought.stream, basis.origin.seqs
            )
        contents: dict[UUID, str] | None = {}
        if memory_ids := _memories(thought, basis, earlier):
            contents = await self._recollection.contents(thought.agent_id, memory_ids)
        if basis.stable is None:
            return Explanation(basis, (), False, contents)
        prompt = _prompt(thought, basis, earlier, contents)
        return Explanation(
            basis,
            (*stable_parts(basis.stable), *volatile_parts(prompt)),
            basis.stable.version == PROMPT_VERSION
            and context_digest(prompt) == thought.context_digest,
            contents,
        )


def _memories(thought: Thought, basis: Basis, earlier: Earlier) -> list[UUID]:
    found = [UUID(memory["memory_id"]) for memory in thought.recalled]
    if basis.origin.quoted is not None:
        found.append(basis.origin.quoted.memory_id)
    found += [heard for _, heard in earlier.values() if heard is not None]
    return found


def _prompt(
    thought: Thought,
    basis: Basis,
    earlier: Earlier,
    contents: dict[UUID, str] | None,
) -> Prompt:
    def said(memory_id: UUID) -> str:
        if contents is None:
            return UNKNOWN
        return contents.get(memory_id, FORGOTTEN)

    assert basis.stable is not None
    is_reply = basis.heard is not None
    recalled = tuple(
        Recalled(
            memory_id := UUID(memory["memory_id"]),
            memory["score"],
            said(memory_id),
            memory["evidence"],
        )
        for memory in thought.recalled
    )
    newest_first = [earlier[seq] for seq in sorted(earlier, reverse=True)]
    talk: tuple[Turn, ...] = tuple(
        shown_turn(said(heard), replied)
        for replied, heard in reversed(newest_first)
        if heard is not None
    )
    return Prompt(
        persona=basis.stable.persona,
        stream=thought.stream,
        instruction=basis.stable.instruction,
        context=_context(basis, contents),
        recalled=recalled,
        recent=() if is_reply else tuple(content for content, _ in newest_first),
        talk=talk if is_reply else None,
    )


def _context(basis: Basis, contents: dict[UUID, str] | None) -> str:
    quoted = basis.origin.quoted
    if quoted is None:
        return basis.context
    if contents is None:
        return UNKNOWN
    if quoted.memory_id not in contents:
        return FORGOTTEN
    text = contents[quoted.memory_id]
    if quoted.at:
        # A glance begins at the first word.
        text = text.strip()
    kept = basis.context
    return kept[: quoted.at] + text[: quoted.chars] + kept[quoted.at :]
