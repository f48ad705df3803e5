"""values.yaml and its schema say the same."""

import json
from collections.abc import Iterable, Iterator

from tests.support.render import CHART, Object, load

# What an umbrella chart switches this one by; the chart itself does not read it.
SWITCH = "enabled"
SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text())
# Below these, Kubernetes' own fields begin: what is set is one of many ways.
FREE = (".resources.", ".behavior.", ".labels.", "Namespaces.")


def _resolved(schema: Object) -> Object:
    while "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def _named(schema: Object, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every key that the schema names, and whether it refuses others beside it."""
    schema = _resolved(schema)
    for key, below in schema.get("properties", {}).items():
        yield f"{path}{key}", schema.get("additionalProperties") is False
        yield from _named(below, f"{path}{key}.")


def _set(values: Object, path: str = "") -> Iterator[str]:
    for key, below in values.items():
        yield f"{path}{key}"
        if isinstance(below, dict):
            yield from _set(below, f"{path}{key}.")


def _ours(keys: Iterable[str]) -> set[str]:
    return {key for key in keys if not any(part in key for part in FREE)}


def test_the_schema_names_every_value() -> None:
    """And nothing that is not there; beside what it names, it refuses everything."""
    named = dict(_named(SCHEMA))
    assert _ours(named) - {SWITCH} == _ours(_set(load(CHART / "values.yaml")))
    assert not [key for key, closed in named.items() if not closed]


def test_services_have_the_same_values_in_the_same_order() -> None:
    """Whoever knows one knows the others."""
    values = load(CHART / "values.yaml")
    parts = ("thoughtGenerator", "memoryService", "safetyValidator")
    assert len({tuple(_set(values[part])) for part in parts}) == 1
