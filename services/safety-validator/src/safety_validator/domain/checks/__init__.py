"""Proofs: what a pattern cannot see, such as a checksum."""

from collections.abc import Mapping

from safety_validator.domain.checks.addresses import public_ip
from safety_validator.domain.checks.keys import key_block, key_text, random_text
from safety_validator.domain.checks.numbers import card, iban, ssn
from safety_validator.models import Proof

__all__ = ["PROOFS"]

# The names a policy may use.
PROOFS: Mapping[str, Proof] = {
    "card": card,
    "iban": iban,
    "key_block": key_block,
    "key_text": key_text,
    "public_ip": public_ip,
    "random_text": random_text,
    "ssn": ssn,
}
