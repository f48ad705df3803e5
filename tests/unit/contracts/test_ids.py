"""Ids sort by the time they were made."""

import time
from datetime import UTC, datetime

from contracts.ids import new_id


def test_ids_are_uuids_of_version_7_and_say_when() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = new_id()
    after_ms = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before_ms <= made.int >> 80 <= after_ms
    assert datetime.fromtimestamp((made.int >> 80) / 1000, UTC).year >= 2025


def test_ids_sort_in_the_order_they_were_made_in() -> None:
    made = [new_id() for _ in range(50_000)]
    assert made == sorted(set(made))
    assert [str(each) for each in made] == sorted(str(each) for each in made)
