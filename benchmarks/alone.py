"""The encoder in a process with nothing else: `python -m benchmarks.alone` embeds the
texts of its input, one after the other, and says what that took."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import private_mb
from embedding import default_folder
from embedding.model import Embedder

ROOT = Path(__file__).parents[1]
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Embedding:
    """Milliseconds of each text, and the memory of that process."""

    times_ms: list[float]
    private_mb: float

    @property
    def rate(self) -> float:
        """Texts a second."""
        return len(self.times_ms) / sum(self.times_ms) * 1000


def embed_alone(texts: list[str]) -> Embedding:
    """Embeds texts in such a process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.alone"],
        input=json.dumps(texts),
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return Embedding(**json.loads(done.stdout))


def main() -> None:
    """Texts as JSON in, what they took as JSON out."""
    texts: list[str] = json.loads(sys.stdin.read())
    embedder = Embedder(default_folder())
    embedder.embed(texts[:WARM_UP])
    times_ms = []
    for text in texts:
        begun = time.perf_counter()
        embedder.embed([text])
        times_ms.append((time.perf_counter() - begun) * 1000)
    result: dict[str, Any] = {
        "times_ms": times_ms,
        "private_mb": private_mb(os.getpid()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
