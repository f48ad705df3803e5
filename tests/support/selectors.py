"""Label selectors."""

from collections.abc import Mapping

from tests.support.render import Object


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector hits; an empty one hits all."""
    for rule in selector.get("matchExpressions", []):
        value, operator = labels.get(rule["key"]), rule["operator"]
        hit = value is not None if "values" not in rule else value in rule["values"]
        if hit is not (operator in {"Exists", "In"}):
            return False
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
