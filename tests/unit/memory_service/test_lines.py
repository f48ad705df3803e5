"""Lines out of a stream, however it is cut."""

from collections.abc import AsyncIterator

import pytest

from memory_service.routes import lines


async def chunks_of(text: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


async def split(text: bytes, size: int) -> list[tuple[int, bytes | None]]:
    return [
        line
        async for found in lines.split_lines(chunks_of(text, size))
        for line in found
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"a", [(1, b"a")]),
        (b"a\n", [(1, b"a")]),
        (b"a\n\n  \nb", [(1, b"a"), (4, b"b")]),
        (b"a\r\nb\r\n", [(1, b"a\r"), (2, b"b\r")]),
        ("ü\n😀".encode(), [(1, "ü".encode()), (2, "😀".encode())]),
        (b"x" * 21 + b"\nb", [(1, None), (2, b"b")]),
        (b"a\n" + b"x" * 100, [(1, b"a"), (2, None)]),
        (
            b"x" * 20 + b"\n" + b"y" * 21 + b"\n\nz",
            [(1, b"x" * 20), (2, None), (4, b"z")],
        ),
    ],
)
async def test_lines_are_numbered_and_bounded(
    text: bytes,
    expected: list[tuple[int, bytes | None]],
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 20)
    assert await split(text, size) == expected
