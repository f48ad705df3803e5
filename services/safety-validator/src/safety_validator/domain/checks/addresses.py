"""Addresses on the internet."""

import ipaddress

from safety_validator.models import Span

__all__ = ["public_ip"]


def public_ip(text: str, start: int, end: int) -> Span | None:
    """An address that belongs to somebody; private and documentation ones do not."""
    try:
        address = ipaddress.ip_address(text[start:end])
    except ValueError:
        return None
    return (start, end) if address.is_global else None
