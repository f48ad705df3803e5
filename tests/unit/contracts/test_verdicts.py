"""Signed verdicts hold for exactly what was judged."""

import pytest

from contracts.verdicts import content_digest, sign_verdict, verdict_holds

JUDGED = {
    "service_key": "between services",
    "agent_id": "ada",
    "content": "The harbour freezes in January. ü",
    "verdict": "allow",
    "policy_version": "7",
}
SIGNATURE = sign_verdict(**JUDGED)


def test_a_signature_holds_for_what_was_signed() -> None:
    assert verdict_holds(signature=SIGNATURE, **JUDGED)
    assert len(SIGNATURE) == 64
    assert sign_verdict(**JUDGED) == SIGNATURE


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("service_key", "between service"),
        ("service_key", "other"),
        ("agent_id", "bob"),
        ("agent_id", "Ada"),
        ("agent_id", ""),
        ("content", "The harbour freezes in January."),
        ("content", "The harbour freezes in January. ü "),
        ("content", "The harbour freezes in January. u\u0308"),
        ("content", ""),
        ("verdict", "flag"),
        ("verdict", "block"),
        ("policy_version", "8"),
        ("policy_version", ""),
    ],
)
def test_a_signature_holds_for_nothing_else(part: str, value: str) -> None:
    assert not verdict_holds(signature=SIGNATURE, **{**JUDGED, part: value})


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "0" * 64,
        SIGNATURE[:-1],
        SIGNATURE + "0",
        SIGNATURE.upper(),
        f" {SIGNATURE}",
        content_digest(JUDGED["content"]),
        "ü" * 64,
        "\ud800",
        "fake",
    ],
)
def test_a_forged_signature_holds_for_nothing(forged: str) -> None:
    assert not verdict_holds(signature=forged, **JUDGED)


def test_what_is_signed_does_not_run_together() -> None:
    moved = {**JUDGED, "verdict": "allow7", "policy_version": ""}
    assert sign_verdict(**moved) != SIGNATURE
    moved = {**JUDGED, "agent_id": "adaallow", "verdict": ""}
    assert sign_verdict(**moved) != SIGNATURE


def test_a_digest_is_sha_256_of_utf_8() -> None:
    assert content_digest("ü") == (
        "607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f"
    )
