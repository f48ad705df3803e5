"""Words that are in so many of an agent's memories that they lead to none.

PostgreSQL would read a list of all those memories each time to find that out. Nothing
depends on what is remembered here but the time that takes.
"""

import re
from collections import OrderedDict, defaultdict
from collections.abc import Mapping

# Words of all agents together: some megabytes.
MAX_WORDS = 30_000
# An agent that has so many times more or fewer memories is learnt anew.
GROWTH = 2
# So many letters of a word are its stem's, as a rule, but that the last of them may be
# another vowel (try, tri; using, use). Where they are not, the word is looked up.
_STEM_LETTERS = 3
_VOWELS = str.maketrans("aeiouy", "aaaaaa")
_WORD = re.compile(r"[^\W_]+")


class _Agent:
    def __init__(self, total: int) -> None:
        self.total = total
        self.words: dict[str, dict[str, float]] = defaultdict(dict)
        self.count = 0

    def fits(self, total: int) -> bool:
        """Whether what was learnt still holds for so many memories."""
        return self.total / GROWTH <= total <= self.total * GROWTH


class CommonWords:
    """By agent, the one asked longest ago makes room."""

    def __init__(self) -> None:
        self._agents: OrderedDict[str, _Agent] = OrderedDict()
        self._count = 0

    def knows(self, agent_id: str, total: int) -> bool:
        """Whether anything was learnt of the agent since it had about so many."""
        agent = self._agents.get(agent_id)
        return agent is not None and agent.fits(total)

    def of(self, agent_id: str, text: str, total: int) -> dict[str, float]:
        """Those that the text may hold, with the shares of memories they are in."""
        agent = self._agents.get(agent_id)
        if agent is None:
            return {}
        if not agent.fits(total):
            self._drop(agent_id)
            return {}
        self._agents.move_to_end(agent_id)
        keys = {
            _key(word[:letters])
            for word in _WORD.findall(text.lower())
            for letters in range(1, _STEM_LETTERS + 1)
        }
        found: dict[str, float] = {}
        for key in keys & agent.words.keys():
            found |= agent.words[key]
        return found

    def learn(self, agent_id: str, total: int, words: Mapping[str, float]) -> None:
        """Remembers words, found among `total` memories."""
        agent = self._agents.setdefault(agent_id, _Agent(total))
        for word, share in words.items():
            stem = agent.words[_key(word)]
            fresh = word not in stem
            stem[word] = share
            agent.count += fresh
            self._count += fresh
        while self._count > MAX_WORDS:
            self._drop(next(iter(self._agents)))

    def _drop(self, agent_id: str) -> None:
        self._count -= self._agents.pop(agent_id).count


def _key(word: str) -> str:
    """Alike for a word and its stem, as a rule."""
    return word[: _STEM_LETTERS - 1] + word[
        _STEM_LETTERS - 1 : _STEM_LETTERS
    ].translate(_VOWELS)
