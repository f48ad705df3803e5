"""What a stream turns to next when nobody asks it anything.

Attention wanders: to what was told last, along a memory that an earlier thought
recalled, or away to a theme. Always following the nearest memory would circle. Where a
stream circles all the same, what led it there is dropped and it turns away.
"""

import random
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from thought_generator.domain.loops import Memory
from thought_generator.models.thoughts import Draft

# The stream's own last thoughts, enough to see a repetition coming.
RECENT_THOUGHTS = 20
# Fragments longer than this are cut: a focus is a glance, not a page.
MAX_FOCUS_CHARS = 400
# Memories to wander to; the oldest fall off.
MAX_TRAIL = 32

THEMES = (
    "home and the people in it",
    "work that went well or badly",
    "a journey and what was seen there",
    "something feared, something hoped for",
    "food, seasons and weather",
    "money, plans and promises",
    "a quarrel or a reconciliation",
    "music, books and pictures",
    "health and tiredness",
    "children and parents",
    "animals and plants",
    "a mistake and what it taught",
    "a gift, given or received",
    "friends not seen for long",
    "a skill that is being learned",
    "what was decided and what is still open",
)


@dataclass(slots=True)
class Attention:
    """One stream's wandering attention; `random` is seeded by stream and epoch."""

    stream: str
    random: random.Random
    persona: str = ""
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT_THOUGHTS))
    trail: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_TRAIL))
    news: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_TRAIL))
    """What was told lately and not thought about yet, oldest first."""
    recent_seqs: deque[int] = field(
        default_factory=lambda: deque(maxlen=RECENT_THOUGHTS)
    )
    """The places of `recent` in the stream's chain."""
    sources: OrderedDict[str, UUID] = field(default_factory=OrderedDict)
    """The memories that the trail and the news are glances of."""
    said: Memory = field(default_factory=Memory)
    circled: bool = False
    """Whether the last thought repeated one before it."""
    focus: str = ""

    def hear(self, memory_id: UUID, content: str) -> None:
        """Something was told."""
        self.news.append(self._glance_at(memory_id, content))

    def recollect(self, contents: Sequence[str]) -> None:
        """What the stream thought last, oldest first, by whoever thought it."""
        for content in contents:
            self.recent.appendleft(content)
            self.said.add(content)

    def remember(self, draft: Draft) -> bool:
        """A thought was committed: it is recent, and what it recalled is a trail.

        True if it repeats one before it. Then it is neither: its text would call it
        up once more.
        """
        self.circled = self.said.add(draft.content)
        if self.circled:
            self.trail.clear()
            return True
        self.recent.appendleft(draft.content)
        for memory in draft.recalled:
            # A trail of thoughts about thoughts would lead nowhere.
            if memory.evidence == "thought":
                continue
            glimpse = self._glance_at(memory.memory_id, memory.content)
            if glimpse not in self.trail:
                self.trail.append(glimpse)
        return False

    def turn(self) -> tuple[str, str]:
        """The context of the next thought, and what to recall for it."""
        self.focus = focus = self._focus()
        lines = [f"What comes to mind: {focus}"]
        if self.recent and not self.circled:
            lines.append(f"The thought before: {glance(self.recent[0])}")
        return "\n".join(lines), focus

    def _glance_at(self, memory_id: UUID, content: str) -> str:
        glimpse = glance(content)
        self.sources[glimpse] = memory_id
        self.sources.move_to_end(glimpse)
        if len(self.sources) > 2 * MAX_TRAIL:
            self.sources.popitem(last=False)
        return glimpse

    def _focus(self) -> str:
        if self.news:
            return glance(self.news.popleft())
        if self.circled:
            return self.random.choice([each for each in THEMES if each != self.focus])
        if self.trail and self.random.random() < 0.65:
            step = self.random.randrange(len(self.trail))
            focus = self.trail[step]
            del self.trail[step]
            return glance(focus)
        if not self.trail and (not self.recent or self.random.random() < 0.3):
            return glance(self.persona)
        return self.random.choice(THEMES)


def glance(text: str) -> str:
    """As much of a text as is kept: a thousand streams' attention stays small."""
    return text.strip()[:MAX_FOCUS_CHARS]
