"""What does not fit is refused, with what to set instead."""

from pathlib import Path

import pytest
import yaml
from tests.support.render import CHART, Object, run_helm

Refused = list[tuple[Object, list[str]]]
ON = {"enabled": True}
MINE = {"existingSecret": "mine"}
# A value of the wrong kind, and where the message says that it is.
WRONG: Refused = [
    ({"engin": {}}, ["'engin' not allowed"]),
    ({"engine": {"typ": "auto"}}, ["/engine", "'typ' not allowed"]),
    ({"engine": {"type": "gpt"}}, ["'auto', 'anthropic', 'offline'"]),
    ({"engine": None}, ["missing property 'engine'"]),
    ({"memoryService": {"replicas": "two"}}, ["/memoryService/replicas", "integer"]),
    ({"memoryService": {"image": {"tag": "latest"}}}, ["/memoryService/image/tag"]),
    ({"memoryService": {"poolSize": 0}}, ["/memoryService/poolSize", "minimum"]),
    ({"memory": {"capacity": -1}}, ["/memory/capacity", "minimum"]),
    ({"memory": {"milvus": {"uri": "milvus.db"}}}, ["/memory/milvus/uri"]),
    ({"memory": {"milvus": {"uri": "http://milvus"}}}, ["/memory/milvus/uri"]),
    ({"safety": {"policy": {"rules": []}}}, ["/safety/policy", "want string"]),
    ({"safety": {"guard": {"family": "gpt"}}}, ["/safety/guard/family"]),
    ({"safety": {"guard": {"url": "vllm:8000"}}}, ["/safety/guard/url"]),
    ({"agents": {"ada": {"interval": 3}}}, ["/agents/ada", "'interval' not allowed"]),
    ({"agents": []}, ["/agents", "want object"]),
    ({"postgresql": {"mode": "sqlite"}}, ["'bundled', 'cnpg', 'external'"]),
    ({"front": {"serviceType": "Ingress"}}, ["/front/serviceType", "'LoadBalancer'"]),
    ({"networkPolicy": {"engineCidrs": ["here"]}}, ["/networkPolicy/engineCidrs/0"]),
    *(
        ({"networkPolicy": {"doorCidrs": [each]}}, ["/networkPolicy/doorCidrs/0"])
        for each in ("999.1.1.1/24", "10.0.0.0/99", "10.0.0.0", "fd00::/129", "fd00/8")
    ),
    ({"networkPolicy": {"dnsPorts": []}}, ["/networkPolicy/dnsPorts", "minItems"]),
    *(
        ({"postgresql": {"bundled": {"image": {"tag": each}}}}, ["image/tag", each])
        for each in ("17", "1.8", "9.6", "alpine", "180")
    ),
    *(
        (
            {"postgresql": {part: {"parameters": {each: 1}}}},
            [f"/{part}/parameters", f"'{each}' not allowed"],
        )
        for part, each in (("bundled", "a b"), ("cnpg", "Max_Connections"))
    ),
    ({"fullnameOverride": "-mind"}, ["/fullnameOverride"]),
    ({"engin": {}, "agents": []}, ["'engin' not allowed", "/agents", "want object"]),
]


def service(**autoscaling: object) -> Object:
    """Values with that of one service."""
    return {"safetyValidator": {"autoscaling": autoscaling}}


def variables(*names: str) -> Object:
    """Values with more variables for one service."""
    return {"memoryService": {"extraEnv": [{"name": each} for each in names]}}


# Values that are right alone and do not fit together, and the fix.
CONTRARY: Refused = [
    ({"engine": {"type": "anthropic"}}, ["set engine.existingSecret"]),
    ({"engine": {"apiKey": "k", **MINE}}, ["engine: ", "remove one"]),
    ({"engine": {"apiKey": "k", "model": "mine"}}, ["set engine.prices"]),
    ({"engine": {"baseUrl": "http://vllm:8000"}}, ["set engine.existingSecret"]),
    (
        {"engine": {"baseUrl": "http://vllm:8000", **MINE}},
        ["8000", "networkPolicy.enginePorts"],
    ),
    ({"memory": {"milvus": MINE}}, ["set memory.milvus.uri"]),
    ({"safety": {"guard": MINE}}, ["set safety.guard.url"]),
    ({"safety": {"guard": {"url": "http://g:8000"}}}, ["set safety.guard.model"]),
    (service(type="keda"), ["safetyValidator.autoscaling", "set keda.serverAddress"]),
    (
        service(
            type="keda",
            keda={"serverAddress": "http://prometheus:9090", "fallbackReplicas": 11},
        ),
        ["safetyValidator.autoscaling: keda.fallbackReplicas (11) is above", "lower"],
    ),
    (
        {"monitoring": {"serviceMonitor": ON, "rules": ON}},
        ["set monitoring.rules.runbookBaseUrl"],
    ),
    (service(minReplicas=11), ["minReplicas (11) is above maxReplicas (10)"]),
    (service(targetCpu=0, targetMemory=0), ["set targetCpu or targetMemory"]),
    (
        {"safetyValidator": {"resources": {"requests": {"cpu": None}}}},
        ["set safetyValidator.resources.requests.cpu"],
    ),
    (variables("PORT"), ["memoryService.extraEnv: PORT", "remove it"]),
    (variables("A", "A"), ["memoryService.extraEnv: A is there twice"]),
    ({"memoryService": {"poolSize": 50}}, ["postgresql.maxConnections", "raise it"]),
    ({"postgresql": {"mode": "external"}}, ["set postgresql.external.existingSecret"]),
    ({"postgresql": {"external": MINE}}, ["postgresql.mode"]),
    ({"cache": {"mode": "external"}}, ["set cache.external.existingSecret"]),
    ({"cache": {"external": MINE}}, ["cache.mode"]),
    ({"ingress": {"enabled": True}}, ["set ingress.hosts"]),
    ({"httpRoute": {"enabled": True}}, ["set httpRoute.parentRefs"]),
    ({"front": {"enabled": False}}, ["set front.enabled"]),
    ({"monitoring": {"podMonitor": {"enabled": True}}}, ["the mode to cnpg"]),
    (
        {"monitoring": {"rules": {"enabled": True}}},
        ["set monitoring.serviceMonitor.enabled"],
    ),
    (
        {"engine": {"type": "anthropic"}, "ingress": {"enabled": True}},
        ["set engine.existingSecret", "set ingress.hosts"],
    ),
    (
        {
            "postgresql": {"mode": "external"},
            **variables("PORT"),
            **service(type="keda"),
        },
        ["set postgresql.external", "PORT", "set keda.serverAddress"],
    ),
]
# What a cluster must have for it.
NEEDED: Refused = [
    ({"postgresql": {"mode": "cnpg"}}, ["CloudNativePG", "install it"]),
    (
        {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}},
        ["Gateway API", "install a gateway"],
    ),
    (
        {"monitoring": {"serviceMonitor": {"enabled": True}}},
        ["Prometheus operator", "install it"],
    ),
    (
        service(type="keda", keda={"serverAddress": "http://prometheus:9090"}),
        ["safetyValidator.autoscaling.type", "install KEDA"],
    ),
]
SHARED: list[Object] = [
    {"global": {}},
    {"global": {"imageRegistry": "x", "a": {"b": [1]}}},
    {"enabled": True},
]


def _refusal(values: Object, folder: Path, *more: str) -> str | None:
    """What Helm says, None if it takes the values."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    code, _, errors = run_helm("template", "mind", CHART, "--values", file, *more)
    return errors if code else None


@pytest.mark.parametrize(("values", "parts"), [*WRONG, *CONTRARY], ids=str)
def test_a_refusal_says_what_to_set(
    values: Object, parts: list[str], tmp_path: Path
) -> None:
    """And where; of two faults, both."""
    refusal = _refusal(values, tmp_path)
    assert refusal
    assert [part for part in parts if part not in refusal] == [], refusal


@pytest.mark.parametrize(("values", "parts"), NEEDED, ids=str)
def test_what_the_cluster_lacks_is_named(
    values: Object, parts: list[str], tmp_path: Path
) -> None:
    """By a live one, for which a group stands that each has; else nothing is asked."""
    refusal = _refusal(values, tmp_path, "--api-versions", "apiregistration.k8s.io/v1")
    assert refusal
    assert [part for part in parts if part not in refusal] == [], refusal
    assert _refusal(values, tmp_path) is None


@pytest.mark.parametrize("values", SHARED, ids=str)
def test_what_an_umbrella_shares_is_permitted(values: Object, tmp_path: Path) -> None:
    """A chart of charts gives it to all of them."""
    assert _refusal(values, tmp_path) is None
