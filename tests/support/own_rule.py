"""A rule that only an installation's own policy has, and a text that it refuses."""

GOSSIP = "They say that the harbour master drinks."
BAN = """
rules:
  - id: harbour.gossip
    category: privacy
    verdict: block
    score: 0.9
    explanation: Talks about the harbour master.
    patterns: ['the harbour master drinks']
    must_match: [They say that the harbour master drinks.]
    must_not_match: [The harbour master works.]
"""
