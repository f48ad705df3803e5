"""Numbers that prove themselves."""

from safety_validator.models import Span

__all__ = ["card", "iban", "ssn"]

# First digits and lengths that card networks issue.
_CARD_RANGES = (
    (4, 4, (13, 16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (34, 34, (15,)),
    (37, 37, (15,)),
    (6011, 6011, (16,)),
    (644, 659, (16,)),
    (300, 305, (14,)),
    (36, 36, (14,)),
    (38, 39, (14,)),
    (3528, 3589, (16,)),
)
# The length of an IBAN by country, from the SWIFT registry.
_IBAN_LENGTHS = {
    code: length
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
    }.items()
    for code in codes.split()
}


def card(text: str, start: int, end: int) -> Span | None:
    """A payment card's number: a known range and Luhn's check digit."""
    digits = [int(char) for char in text[start:end] if char.isdigit()]
    number = "".join(map(str, digits))
    known = any(
        len(number) in lengths and low <= int(number[: len(str(low))]) <= high
        for low, high, lengths in _CARD_RANGES
    )
    return (start, end) if known and _luhn(digits) else None


def _luhn(digits: list[int]) -> bool:
    doubled = (digit * 2 for digit in digits[-2::-2])
    total = sum(digits[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)
    return total % 10 == 0 and any(digits)


def iban(text: str, start: int, end: int) -> Span | None:
    """An account number by ISO 13616: the country's length, remainder 1 by 97."""
    needed = _IBAN_LENGTHS.get(text[start : start + 2])
    if needed is None:
        return None
    places = [at for at in range(start, end) if text[at] != " "]
    if len(places) < needed or text[places[needed - 1] + 1 :][:1].isalnum():
        return None
    compact = "".join(text[at] for at in places[:needed])
    moved = compact[4:] + compact[:4]
    remainder = int("".join(str(int(char, 36)) for char in moved)) % 97
    return (start, places[needed - 1] + 1) if remainder == 1 else None


def ssn(text: str, start: int, end: int) -> Span | None:
    """A United States social security number within the ranges that are issued."""
    digits = [at for at in range(start, end) if text[at].isdigit()]
    number = "".join(text[at] for at in digits)
    area, group, serial = number[:3], number[3:5], number[5:]
    issued = area not in ("000", "666") and area < "900"
    if not issued or group == "00" or serial == "0000":
        return None
    return digits[0], end
