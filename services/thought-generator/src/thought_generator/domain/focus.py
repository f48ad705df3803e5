"""What a stream turns to next when nobody asks it anything.

Attention wanders: to what was told last, along a memory that an earlier thought
recalled, or away to a theme. Always following the nearest memory would circle.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from thought_generator.models import Draft

# The stream's own last thoughts, enough to see a repetition coming.
RECENT_THOUGHTS = 20
# Fragments longer than this are cut: a focus is a glance, not a page.
MAX_FOCUS_CHARS = 400
# Memories to wander to; the oldest fall off.
MAX_TRAIL = 64

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

    def remember(self, draft: Draft) -> None:
        """A thought was committed: it is recent, and what it recalled is a trail."""
        self.recent.appendleft(draft.content)
        for memory in draft.recalled:
            # A trail of thoughts about thoughts would lead nowhere.
            if memory.evidence != "thought" and memory.content not in self.trail:
                self.trail.append(memory.content)

    def turn(self) -> tuple[str, str]:
        """The context of the next thought, and what to recall for it."""
        focus = self._focus()
        lines = [f"What comes to mind: {focus}"]
        if self.recent:
            lines.append(f"The thought before: {_glance(self.recent[0])}")
        return "\n".join(lines), focus

    def _focus(self) -> str:
        if self.news:
            return _glance(self.news.popleft())
        if self.trail and self.random.random() < 0.65:
            step = self.random.randrange(len(self.trail))
            focus = self.trail[step]
            del self.trail[step]
            return _glance(focus)
        if not self.trail and (not self.recent or self.random.random() < 0.3):
            return _glance(self.persona)
        return self.random.choice(THEMES)


def _glance(text: str) -> str:
    return text.strip()[:MAX_FOCUS_CHARS]
