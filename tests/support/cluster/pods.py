"""The services' pods, asked one by one."""

import json
from http.client import HTTPException
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.cluster.installation import Installation

PORT = 8080


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
