"""Signed verdicts: one service trusts what another was told by safety-validator.

The signature is HMAC-SHA-256 over agent, verdict, policy version and the SHA-256
of the content, keyed by the service key; it proves the validator judged exactly
this text for this agent.
"""

import hashlib
import hmac

__all__ = ["content_digest", "sign_verdict", "verdict_holds"]


def content_digest(content: str) -> str:
    """SHA-256 of the content in UTF-8, in hexadecimal."""
    return hashlib.sha256(content.encode()).hexdigest()


def sign_verdict(
    service_key: str, agent_id: str, content: str, verdict: str, policy_version: str
) -> str:
    """The signature over one verdict, in hexadecimal."""
    message = "\n".join(
        ("verdict-v1", agent_id, verdict, policy_version, content_digest(content))
    )
    return hmac.new(service_key.encode(), message.encode(), hashlib.sha256).hexdigest()


def verdict_holds(
    service_key: str,
    signature: str,
    agent_id: str,
    content: str,
    verdict: str,
    policy_version: str,
) -> bool:
    """Whether `signature` was made for exactly this verdict on this content."""
    expected = sign_verdict(service_key, agent_id, content, verdict, policy_version)
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
