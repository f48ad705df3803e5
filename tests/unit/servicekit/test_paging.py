"""Cursors: back to the same place in the same list, or refused."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import InvalidRequest
from servicekit.paging import read_cursor, write_cursor

LIST = "memories of ada"
TYPES = {int: st.integers(-(2**63), 2**63 - 1), str: st.text(max_size=40)}
POSITIONS = st.lists(st.one_of(*TYPES.values()), max_size=3)


@given(POSITIONS.filter(lambda position: all(map(_storable, position))))
def test_a_cursor_leads_back_to_its_position(position: list[str | int]) -> None:
    cursor = write_cursor(LIST, *position)
    assert cursor.isascii()
    assert "=" not in cursor
    assert read_cursor(LIST, cursor, *map(type, position)) == position


def _storable(value: str | int) -> bool:
    return isinstance(value, int) or max(value, default="") < "\ud800"


def forge(value: object) -> str:
    """A cursor of our form around any JSON."""
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


OURS = orjson.loads(base64.urlsafe_b64decode(write_cursor(LIST, 7) + "=="))[0]
REFUSED = {
    "empty": "",
    "another list's": write_cursor("memories of bob", 7),
    "a longer position": write_cursor(LIST, 7, "a"),
    "a shorter position": write_cursor(LIST),
    "a text for a number": write_cursor(LIST, "7"),
    "cut off": write_cursor(LIST, 7)[:-1],
    "a letter changed": "A" + write_cursor(LIST, 7)[1:],
    "a line more": write_cursor(LIST, 7) + "\n",
    "not base64": "%%%",
    "not ASCII": "ü",
    "NUL": "\x00",
    "a lone surrogate": "\ud800",
    "not JSON": base64.urlsafe_b64encode(b"7").decode() + "x",
    "binary": base64.urlsafe_b64encode(bytes(range(256))).decode(),
    "an object": forge({"0": OURS}),
    "a number": forge(7),
    "a bool for a number": forge([OURS, True]),
    "a float for a number": forge([OURS, 7.0]),
    "null for a number": forge([OURS, None]),
    "a list for a number": forge([OURS, [7]]),
    "a huge number": base64.urlsafe_b64encode(
        b'["%s",%s]' % (OURS.encode(), b"9" * 40)
    ).decode(),
    "deeply nested": base64.urlsafe_b64encode(b"[" * 300).decode(),
    "endless": "A" * 100_000,
}


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_cursor_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="does not belong to this list"):
        read_cursor(LIST, REFUSED[name], int)


def test_our_own_form_is_what_is_forged_above() -> None:
    assert read_cursor(LIST, forge([OURS, 7]), int) == [7]


def test_a_cursor_longer_than_any_of_ours_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        read_cursor(LIST, write_cursor(LIST, "a" * 600), str)


def test_a_long_text_makes_no_cursor_that_would_be_refused() -> None:
    position = "a" * 256
    assert read_cursor(LIST, write_cursor(LIST, position), str) == [position]
