"""An import is stored by the patterns' verdict, and recalled after the whole one."""

import json
from typing import Any

import asyncpg
import pytest
from tests.integration.test_memory.replicas import (
    BLOCKED,
    OUTAGE,
    SECRET,
    SUBTLE,
    Caller,
    Fields,
    Replica,
)
from tests.support.waiting import until

from contracts.ids import new_id


async def unjudged(caller: Caller) -> int:
    count: int = (await caller.stats())["unjudged"]
    return count


async def recalled(caller: Caller, query: str) -> list[str]:
    return await caller.recall_texts(query, limit=50)


async def test_what_the_patterns_miss_is_taken_back(
    ada: Caller, memory_dsn: str
) -> None:
    hidden = f"The {SUBTLE} harbour is {BLOCKED}."
    secret = f"The {SUBTLE} key of the harbour is {SECRET}."
    totals, _ = await ada.take_in(
        [
            {"content": "The harbour lies in the west."},
            {"content": hidden},
            {"content": secret},
            {"content": f"This {BLOCKED} harbour."},
        ]
    )
    assert totals == {"imported": 3, "skipped": 0, "failed": 1}
    await until(ada.all_judged)
    assert set(await recalled(ada, "the harbour")) == {
        "The harbour lies in the west.",
        f"The {SUBTLE} key of the harbour is [redacted].",
    }
    exported = json.dumps(await ada.export())
    assert BLOCKED not in exported
    assert SECRET not in exported
    assert SECRET not in await _all_rows(memory_dsn, ada.agent_id)


async def _all_rows(dsn: str, agent_id: str) -> str:
    """What the tables keep of an agent, as one text."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT content FROM memories WHERE agent_id = $1", agent_id
        )
        rows += await connection.fetch(
            "SELECT before::text || after::text FROM history WHERE agent_id = $1",
            agent_id,
        )
    finally:
        await connection.close()
    return " ".join(str(row[0]) for row in rows)


async def test_nothing_is_recalled_before_it_is_judged(
    service: Replica, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f"The {SUBTLE} lighthouse stands {OUTAGE}."
    totals, _ = await ada.take_in([{"content": told}], judged=False)
    assert totals["imported"] == 1
    assert await unjudged(ada) == 1
    for mode in ("semantic", "keyword", "hybrid"):
        assert await ada.recall("lighthouse", mode=mode) == []
    monkeypatch.setattr(service.safety, "_fail_on", lambda _: False)
    await until(ada.all_judged)
    assert await recalled(ada, "lighthouse") == [told]


async def test_an_admin_may_do_with_the_patterns(ada: Caller) -> None:
    told = f"The {SUBTLE} mill is {BLOCKED}."
    totals, _ = await ada.take_in([{"content": told}], safety="patterns")
    assert totals["imported"] == 1
    assert await unjudged(ada) == 0
    assert await recalled(ada, "the mill") == [told]


async def test_what_is_taken_back_does_not_come_again(ada: Caller) -> None:
    line: Fields = {"id": str(new_id()), "content": f"A {SUBTLE} {BLOCKED} quay."}
    lines: list[Any] = [line]
    await ada.take_in(lines)
    await until(ada.all_judged)
    _, told = await ada.take_in(lines)
    assert [one["problem"]["status"] for one in told if "problem" in one] == [409]


async def test_a_patch_is_judged_by_itself(
    service: Replica, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_id = str(new_id())
    content = f"The {SUBTLE} ferry goes {OUTAGE}."
    await ada.take_in([{"id": memory_id, "content": content}], judged=False)
    await ada.change(memory_id, content="The ferry goes at nine.")
    assert await recalled(ada, "the ferry") == ["The ferry goes at nine."]
    monkeypatch.setattr(service.safety, "_fail_on", lambda _: False)
    await until(ada.all_judged)
