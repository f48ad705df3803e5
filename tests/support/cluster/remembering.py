"""memory-service's pods, and many memories for them."""

import json
from inspect import getsource
from random import Random

import numpy as np

from embedding import MODEL_NAME
from memory_service.providers.vectors.rows import DIMENSION
from tests.support.cluster.installation import Installation
from tests.support.cluster.namespace import Object, ready
from tests.support.cluster.pods import PORT
from tests.support.vectors import INTRINSIC, Matrix, normalise

MEMORY_SERVICE = "memory-service"
# Lines of one import: some 12 MB.
LINES_TOGETHER = 10_000


def memory_pods(mind: Installation) -> list[Object]:
    """Those that are ready."""
    return [pod for pod in mind.namespace.pods(MEMORY_SERVICE) if ready(pod)]


def note(number: int) -> str:
    """What a memory of the many says."""
    return f"Note {number} of the harbour's log."


def scatter(count: int, seed: int) -> Matrix:
    """Unit vectors of shape (count, DIMENSION) within a space of fewer dimensions, as
    sentences' are. Images do not have numpy.random."""

    def nearly_normal(dice: Random, rows: int, columns: int) -> Matrix:
        drawn = np.frombuffer(dice.randbytes(rows * columns * 8), "<u2")
        centred = drawn.astype(np.float32) - 65535 / 2
        summed: Matrix = centred.reshape(rows, columns, 4).sum(axis=-1)
        return summed

    spread = nearly_normal(Random(99), INTRINSIC, DIMENSION)
    return normalise(nearly_normal(Random(seed), count, INTRINSIC) @ spread)


def take_in(mind: Installation, pod: str, count: int) -> list[dict[str, int]]:
    """Imports notes with vectors like sentences'; the totals of each body.

    The pod makes them and calls itself: a forwarded port does not carry that much.
    """
    made = [getsource(function) for function in (normalise, scatter, note)]
    code = [_PREFACE, *made, _IMPORT]
    given = mind.secret("admin"), MODEL_NAME, str(count), str(LINES_TOGETHER)
    printed = mind.namespace.run(pod, "python", "-c", "\n".join(code), *given)
    return [json.loads(line) for line in printed.splitlines()]


_PREFACE = f"""
import base64, http.client, json, sys
from random import Random
import numpy as np
Matrix, DIMENSION, INTRINSIC = np.ndarray, {DIMENSION}, {INTRINSIC}
"""
_IMPORT = f"""
key, model, count, together = sys.argv[1:]
for first in range(0, int(count), int(together)):
    lines = [
        json.dumps({{
            "content": note(first + place),
            "embedding": base64.b64encode(vector.astype("<f2").tobytes()).decode(),
            "embedding_model": model,
        }})
        for place, vector in enumerate(scatter(int(together), first))
    ]
    connection = http.client.HTTPConnection("127.0.0.1", {PORT})
    connection.request(
        "POST",
        "/api/memory/import?safety=patterns",
        "\\n".join(lines),
        {{"Authorization": f"Bearer {{key}}", "Content-Type": "application/x-ndjson"}},
    )
    print(connection.getresponse().read().decode().splitlines()[-1])
"""
