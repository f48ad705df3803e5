"""What an API server would say to an object, without one."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.support.render import KUBERNETES, ROOT, Object

# Groups that Kubernetes itself does not know.
CUSTOM = frozenset(
    {
        "gateway.networking.k8s.io",
        "keda.sh",
        "monitoring.coreos.com",
        "postgresql.cnpg.io",
    }
)
Kind = tuple[str, str, str]
Validators = dict[Kind, jsonschema_rs.Draft202012Validator]

# It reads a megabyte of definitions for every object otherwise.
kubernetes_validate.utils.schema_contents = cache(
    kubernetes_validate.utils.schema_contents
)


def find_crds() -> Path:
    """The folder of custom resource definitions; skips where it is not."""
    shared = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared")
    folder = shared / "data" / "crds"
    if not folder.is_dir():
        pytest.skip("no custom resource definitions here: set SHARED_DIR")
    return folder


def is_custom(thing: Object) -> bool:
    """Whether an operator or another project brings the kind."""
    return thing["apiVersion"].partition("/")[0] in CUSTOM


def find_fault(thing: Object) -> str | None:
    """What is wrong with one of Kubernetes' own objects, None if nothing is."""
    try:
        kubernetes_validate.validate(thing, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return str(error.message)
    return None


def find_custom_faults(thing: Object) -> Iterator[str]:
    """What is wrong with an object of a custom kind."""
    group, _, version = thing["apiVersion"].partition("/")
    validator = _read_crds(find_crds()).get((group, version, thing["kind"]))
    if validator is None:
        yield f"no definition of {thing['apiVersion']} {thing['kind']}"
        return
    for error in validator.iter_errors(thing):
        yield f"{'.'.join(map(str, error.instance_path))}: {error.message}"


@cache
def _read_crds(folder: Path) -> Validators:
    found = {}
    for file in folder.glob("*.yaml"):
        spec = yaml.load(file.read_bytes(), yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            key = (spec["group"], version["name"], spec["names"]["kind"])
            found[key] = jsonschema_rs.Draft202012Validator(schema)
    return found


def _strict(schema: Any) -> Any:
    """JSON Schema of a structural one that refuses fields which it does not name."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: value for key, value in schema.items() if not key.startswith("x-")}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = _strict(made[key])
    if "properties" in made:
        fields = made["properties"]
        made["properties"] = {name: _strict(each) for name, each in fields.items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    return made
