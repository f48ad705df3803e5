"""One detector of others over the same texts, in an environment of its own:

    python benchmarks/safety_peers.py PEER < TEXTS.ndjson

Each line of the input is a JSON string. It imports nothing of this project and prints
JSON: a score for each text (more is worse), and milliseconds for each.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module

Scorer = Callable[[str], float]


def turbocloak() -> Scorer:
    """Rules in Rust."""
    score: Scorer = import_module("turbocloak").injection_score
    return score


def aicordon() -> Scorer:
    """Picket, its local rules: flagged or not."""
    detector = import_module("aicordon.picket").load()
    return lambda text: float(detector.check(text).flagged)


def stackone_defender() -> Scorer:
    """Rules and a fine-tuned MiniLM in eight-bit integers."""
    defense = import_module("stackone_defender").create_prompt_defense(
        block_high_risk=True
    )
    defense.warmup_tier2()

    def score(text: str) -> float:
        found = defense.defend_tool_result(text, "read_document")
        return max(found.tier2_score or 0.0, 0.0 if found.allowed else 0.52)

    return score


PEERS = {
    "turbocloak": turbocloak,
    "aicordon": aicordon,
    "stackone-defender": stackone_defender,
}


def main() -> None:
    score = PEERS[sys.argv[1]]()
    scores, times_ms = [], []
    for line in sys.stdin:
        text = json.loads(line)
        begun = time.perf_counter()
        scores.append(float(score(text)))
        times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"scores": scores, "times_ms": times_ms}))


if __name__ == "__main__":
    main()
