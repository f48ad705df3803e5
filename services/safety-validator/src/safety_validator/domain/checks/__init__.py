"""Proofs: what a pattern cannot see, such as a checksum."""

from collections.abc import Mapping

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

__all__ = ["PROOFS"]

# The names a policy may use.
PROOFS: Mapping[str, Proof] = {
    "basic_login": basic_login,
    "card": card,
    "checked_token": checked_token,
    "iban": iban,
    "json_token": json_token,
    "key_block": key_block,
    "key_text": key_text,
    "login_address": login_address,
    "mixed_text": mixed_text,
    "password_text": password_text,
    "phone": phone,
    "public_ip": public_ip,
    "random_text": random_text,
    "seed_phrase": seed_phrase,
    "ssn": ssn,
}
