"""Checksums, ranges and randomness."""

import pytest

from safety_validator.domain.checks.addresses import public_ip
from safety_validator.domain.checks.keys import key_block, random_text
from safety_validator.domain.checks.numbers import card, iban, ssn


@pytest.mark.parametrize(
    ("number", "is_card"),
    [
        ("4111111111111111", True),
        ("4222222222222", True),
        ("2223003122003222", True),
        ("30569309025904", True),
        ("3530111333300000", True),
        ("4111111111111112", False),
        ("0000000000000000", False),
        ("9111111111111111", False),
        ("411111111111111", False),
        ("5000000000000009", False),
    ],
)
def test_card(number: str, is_card: bool) -> None:
    assert card(number, 0, len(number)) == ((0, len(number)) if is_card else None)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
        ("DE89370400440532013000 AND", "DE89370400440532013000"),
        ("NO93 8601 1117 947", "NO93 8601 1117 947"),
        ("DE89370400440532013000X", None),
        ("DE8937040044053201300", None),
        ("DE88370400440532013000", None),
        ("ZZ89370400440532013000", None),
    ],
)
def test_iban(text: str, whole: str | None) -> None:
    expected = None if whole is None else (0, len(whole))
    assert iban(text, 0, len(text)) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("536-90-4399", "536-90-4399"),
        ("ssn 536904399", "536904399"),
        ("000-90-4399", None),
        ("666-90-4399", None),
        ("900-90-4399", None),
        ("536-00-4399", None),
        ("536-90-0000", None),
    ],
)
def test_ssn(text: str, number: str | None) -> None:
    expected = None if number is None else (text.index(number), len(text))
    assert ssn(text, 0, len(text)) == expected


@pytest.mark.parametrize(
    ("text", "random"),
    [
        ("aB3dE5fG7hJ9kL2m", True),
        ("aBcDeFgHiJkLmNoPqRs", True),
        ("x" * 30, False),
        ("abcdefghijklmnopqrstuvwxyz", False),
        ("your-key-goes-here-1234567890", False),
        ("EXAMPLEaB3dE5fG7hJ9kL2m", False),
        ("a1" * 20, False),
    ],
)
def test_random_text(text: str, random: bool) -> None:
    assert (random_text(text, 0, len(text)) is not None) is random


def test_a_key_block_reaches_to_its_last_line() -> None:
    head = "-----BEGIN X-----"
    whole = f"{head}\nabc\n-----END X-----"
    assert key_block(f"{whole} and more", 0, len(head)) == (0, len(whole))
    pasted = f"{head}\nabc\nabc"
    assert key_block(pasted, 0, len(head)) == (0, len(pasted))


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.0.2.1", False),
        ("fe80::1", False),
        ("300.1.1.1", False),
        ("12:30:45", False),
    ],
)
def test_public_ip(text: str, public: bool) -> None:
    assert (public_ip(text, 0, len(text)) is not None) is public
