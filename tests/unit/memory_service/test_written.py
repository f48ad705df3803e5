"""What a process remembers of its own writes."""

import pytest

from memory_service.domain import written
from memory_service.domain.written import WrittenSeqs


def test_a_read_holds_the_newest_of_both() -> None:
    seqs = WrittenSeqs()
    seqs.note("a", 5)
    seqs.note("a", 3)
    assert [seqs.at_least("a", n) for n in (0, 5, 9)] == [5, 5, 9]
    assert seqs.at_least("b", 0) == 0


def test_the_longest_unwritten_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "MAX_AGENTS", 2)
    seqs = WrittenSeqs()
    for agent_id, seq in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        seqs.note(agent_id, seq)
    assert [seqs.at_least(name, 0) for name in "abc"] == [3, 0, 4]


def test_another_primary_has_promised_nothing() -> None:
    seqs = WrittenSeqs()
    seqs.note("a", 5)
    seqs.clear()
    assert seqs.at_least("a", 0) == 0
