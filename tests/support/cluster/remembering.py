"""memory-service's pods asked one by one, and many memories for them."""

import json
from http.client import HTTPException
from inspect import getsource
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from embedding import MODEL_NAME
from memory_service.providers.vectors.rows import DIMENSION
from tests.support.cluster.installation import Installation
from tests.support.cluster.namespace import Object, ready
from tests.support.vectors import INTRINSIC, make_vectors, normalise

MEMORY_SERVICE = "memory-service"
PORT = 8080
# Lines of one import: some 12 MB.
LINES_TOGETHER = 10_000


def memory_pods(mind: Installation) -> list[Object]:
    """Those that are ready."""
    return [pod for pod in mind.namespace.pods(MEMORY_SERVICE) if ready(pod)]


def ask_pod(
    mind: Installation, pod: str, method: str, path: str, body: Any = None
) -> Any:
    """What this pod answers to the admin; None where it does not answer well."""
    headers = {"Authorization": f"Bearer {mind.secret('admin')}"}
    sent = None
    if body is not None:
        sent = json.dumps(body)
        headers["Content-Type"] = "application/json"
    text = _request(mind, pod, method, path, sent, headers)
    return None if text is None else json.loads(text)


def measured(mind: Installation, pod: str, name: str, **labels: str) -> float:
    """The sum of a pod's series of this name that have these labels."""
    text = _request(mind, pod, "GET", "/metrics", None, {}) or ""
    return sum(
        float(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def _request(
    mind: Installation,
    pod: str,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
) -> str | None:
    try:
        connection = mind.namespace.connect(pod, PORT)
    except OSError:
        return None
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, HTTPException):
        # It is about to go, or not there yet.
        return None
    else:
        return text if answer.status < 300 else None
    finally:
        connection.close()


def note(number: int) -> str:
    """What a memory of the many says."""
    return f"Note {number} of the harbour's log."


def take_in(mind: Installation, pod: str, count: int) -> list[dict[str, int]]:
    """Imports notes with vectors like sentences'; the totals of each body.

    The pod makes them and calls itself: a forwarded port does not carry that much.
    """
    made = [getsource(function) for function in (normalise, make_vectors, note)]
    code = [_PREFACE, *made, _IMPORT]
    given = mind.secret("admin"), MODEL_NAME, str(count), str(LINES_TOGETHER)
    printed = mind.namespace.run(pod, "python", "-c", "\n".join(code), *given)
    return [json.loads(line) for line in printed.splitlines()]


_PREFACE = f"""
import base64, http.client, json, sys
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
        for place, vector in enumerate(make_vectors(int(together), first))
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
