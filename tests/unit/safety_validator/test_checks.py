"""Checksums, ranges and randomness."""

import pytest

from safety_validator.domain.checks.addresses import phone, public_ip
from safety_validator.domain.checks.keys import (
    basic_login,
    checked_token,
    json_token,
    key_block,
    key_text,
    login_address,
    mixed_text,
    password_text,
    random_text,
)
from safety_validator.domain.checks.numbers import card, iban, ssn
from safety_validator.domain.checks.wallets import seed_phrase
from safety_validator.models import Proof


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
        ("aBkDmFgHiJzLmNqPqRw", True),
        ("x" * 30, False),
        ("abcdefghijklmnopqrstuvwxyz", False),
        ("your-key-goes-here-1234567890", False),
        ("EXAMPLEaB3dE5fG7hJ9kL2m", False),
        ("a1" * 20, False),
        ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", True),
        ("getUserAccessTokenFromStore", False),
        ("release-notes-for-the-november-2024", False),
        ("process.env.OPENAI_API_KEY_2", False),
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


PREFIXED = "acme_aB3dE5fG7hJ9kL2mN4pQ6rS8tU1v"
JSON_TOKEN = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("proof", "text", "holds"),
    [
        # The checksum of this one is right, so that the word in it does not matter.
        (checked_token, "gh" + "p_EXAMPLEexampleEXAMPLEexampleEX2uIrUZ", True),
        (checked_token, "gh" + "p_EXAMPLEexampleEXAMPLEexampleEX2uIrU0", False),
        (checked_token, "gh" + "p_aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xYz0aB", True),
        (key_text, "sk-" + "translation-of-the-documents-v2", False),
        (key_text, "sk-" + "aB3dE5fG7hJ9kL2mN4pQ6rS8", True),
        (key_text, "sk-" + "insert-key-number-1-here-a9", False),
        (mixed_text, PREFIXED, True),
        (mixed_text, "build-0a1b2c3d4e5f60718293a4b5c6d7e8f9", False),
        (mixed_text, "backup-2026-11-23-02-41-14-full-v2", False),
        (mixed_text, "My-Notes-About-The-Garden-2024-And-The-House", False),
        (password_text, "Tr0ub4dor&3", True),
        (password_text, "changeme123", False),
        (password_text, "${DB_PASSWORD}", False),
        (password_text, "password", False),
        (login_address, "amqp://app:s3cr3t@mq:5672", True),
        (login_address, "amqp://app:<password>@mq:5672", False),
        (json_token, JSON_TOKEN, True),
        (json_token, "eyJ" + "hbGciOi.eyJzdWIi.c2ln", False),
        (json_token, "eyJ" + "hIjoxfQ.eyJzdWIi.c2ln", False),
        (basic_login, "YW5hOlRyMHViNGRvciYz", True),
        (basic_login, "aW5zdHJ1Y3Rpb25z", False),
        (basic_login, "instructions", False),
        (phone, "+49 30 90182012", True),
        (phone, "0171-123", False),
        (phone, "000000000000", False),
    ],
)
def test_forms(proof: Proof, text: str, holds: bool) -> None:
    assert (proof(text, 0, len(text)) is not None) is holds


ZEROS = "abandon " * 11


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        (f"{ZEROS}about", f"{ZEROS}about"),
        (f"keep well {ZEROS}about now", f"{ZEROS}about"),
        (f"{ZEROS}abandon", None),
        (f"{ZEROS}gardening", None),
        ("abandon about", None),
    ],
)
def test_a_seed_phrase_is_found_by_its_checksum(text: str, phrase: str | None) -> None:
    found = seed_phrase(text, 0, len(text))
    assert (None if found is None else text[slice(*found)]) == phrase
