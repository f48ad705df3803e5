"""What this process wrote last, so that its callers read their own writes."""

from collections import OrderedDict

# Agents remembered; of the one that wrote longest ago nobody waits any more.
MAX_AGENTS = 10_000


class WrittenSeqs:
    """The newest change that this process made for each agent."""

    def __init__(self) -> None:
        self._seqs: OrderedDict[str, int] = OrderedDict()

    def note(self, agent_id: str, seq: int) -> None:
        """Remembers a change."""
        self._seqs[agent_id] = max(seq, self._seqs.get(agent_id, 0))
        self._seqs.move_to_end(agent_id)
        if len(self._seqs) > MAX_AGENTS:
            self._seqs.popitem(last=False)

    def at_least(self, agent_id: str, min_seq: int) -> int:
        """The change that a read must hold which asks for `min_seq`."""
        return max(min_seq, self._seqs.get(agent_id, 0))

    def clear(self) -> None:
        """Forgets all: another primary may not have them."""
        self._seqs.clear()
