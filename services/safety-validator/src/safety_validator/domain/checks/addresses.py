"""Addresses and numbers by which somebody is reached."""

import ipaddress

from safety_validator.models import Span

__all__ = ["phone", "public_ip"]

# Digits of a phone number with its country's or its city's code; ITU-T E.164 allows 15.
_PHONE_DIGITS = range(9, 16)


def public_ip(text: str, start: int, end: int) -> Span | None:
    """An address that belongs to somebody; private and documentation ones do not."""
    try:
        address = ipaddress.ip_address(text[start:end])
    except ValueError:
        return None
    return (start, end) if address.is_global else None


def phone(text: str, start: int, end: int) -> Span | None:
    """As many digits as a phone number has, and not all the same."""
    digits = [char for char in text[start:end] if char.isdigit()]
    plausible = len(digits) in _PHONE_DIGITS and len(set(digits)) > 2
    return (start, end) if plausible else None
