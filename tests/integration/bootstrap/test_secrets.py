"""The two Secrets, filled through the API of a cluster that is not always well."""

import asyncio
import base64
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.kubernetes import HOST, FakeKubernetes

from bootstrap import kubernetes as kubernetes_module
from bootstrap import secrets as secrets_module
from bootstrap.secrets import fill_secrets
from servicekit.jobs import JobFailed

KEYS, INTERNAL = "mind-api-keys", "mind-internal"


@pytest.fixture(autouse=True)
def environment(
    kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """What the Job is told; the Secrets are there and empty."""
    for name, value in {
        "API_KEYS_SECRET": KEYS,
        "INTERNAL_SECRET": INTERNAL,
        "ADDRESSES": "0own",
        "DATABASE_RW_HOST": "db:5432",
        "DATABASE_NAME": "claude_agi",
        "CACHE_HOST": "cache:6379",
    }.items():
        monkeypatch.setenv(name, value)
    kubernetes.add("secrets", KEYS)
    kubernetes.add("secrets", INTERNAL)
    return monkeypatch


def texts(kubernetes: FakeKubernetes, name: str) -> dict[str, str]:
    data = kubernetes.data("secrets", name)
    return {key: base64.b64decode(text).decode() for key, text in data.items()}


async def test_both_are_filled_once_and_no_line_shows_what_with(
    kubernetes: FakeKubernetes,
) -> None:
    with capture_logs() as lines:
        await fill_secrets()
        made = [texts(kubernetes, name) for name in (KEYS, INTERNAL)]
        await fill_secrets()
    assert [texts(kubernetes, name) for name in (KEYS, INTERNAL)] == made
    assert set(made[0]) == {"admin", "read", "keys.json"}
    assert made[1]["memory-password"] in made[1]["memory-url-0own"]
    assert [verb for verb, _ in kubernetes.answered].count("patch") == 2
    said = repr(lines)
    assert "memory-password" in said
    del made[1]["addresses"]
    for text in (*made[0].values(), *made[1].values()):
        assert text not in said


async def test_only_what_changed_is_sent(
    kubernetes: FakeKubernetes, environment: pytest.MonkeyPatch
) -> None:
    await fill_secrets()
    before = texts(kubernetes, INTERNAL)
    environment.setenv("DATABASE_RO_HOST", "replica:5432")
    with capture_logs() as lines:
        await fill_secrets()
    after = texts(kubernetes, INTERNAL)
    added = {f"{role}-replica-url-0own" for role in ("thinking", "memory", "safety")}
    assert set(after) - set(before) == added
    assert [line["keys"] for line in lines if "keys" in line] == [sorted(added)]
    environment.delenv("DATABASE_RO_HOST")
    await fill_secrets()
    assert texts(kubernetes, INTERNAL) == before


async def test_keys_of_a_person_s_own_secret_are_left_alone(
    kubernetes: FakeKubernetes, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("API_KEYS_SECRET", "")
    await fill_secrets()
    assert texts(kubernetes, KEYS) == {}
    assert texts(kubernetes, INTERNAL)


async def test_several_at_once_agree(kubernetes: FakeKubernetes) -> None:
    with capture_logs() as lines:
        await asyncio.gather(*(fill_secrets() for _ in range(4)))
    patched = [status for verb, status in kubernetes.answered if verb == "patch"]
    assert patched.count(200) == 2
    assert 409 in patched
    filled = [line["secret"] for line in lines if line["event"] == "filled"]
    assert sorted(filled) == [KEYS, INTERNAL]


LATE = {
    403: r"may not {verb} the Secret 'mind-api-keys' in namespace 'minds': it needs a "
    "Role with the verbs get and patch on secrets and 'mind-api-keys' among",
    404: "there is no Secret 'mind-api-keys' in namespace 'minds'",
    401: "does not know this pod's token",
    409: "somebody else changed the Secret 'mind-api-keys' meanwhile",
    429: "the Kubernetes API answers 429",
    500: "the Kubernetes API answers 500",
}


@pytest.mark.parametrize("status", LATE)
@pytest.mark.parametrize("verb", ["get", "patch"])
async def test_what_time_may_mend_is_tried_again(
    kubernetes: FakeKubernetes, verb: str, status: int
) -> None:
    kubernetes.fail_on(verb, status, times=3)
    with capture_logs() as lines:
        await fill_secrets()
    assert texts(kubernetes, KEYS)
    assert texts(kubernetes, INTERNAL)
    # Said once, and not each time that it is tried.
    (waiting,) = (line for line in lines if line["event"] == "waiting")
    assert LATE[status].format(verb=verb) in waiting["reason"]


async def test_it_gives_up_with_the_reason(
    kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets_module, "DEADLINE_S", 0.1)
    del kubernetes.objects["secrets", INTERNAL]
    with pytest.raises(JobFailed, match="gave up after 0 s: there is no Secret 'mind-"):
        await fill_secrets()


async def test_an_api_that_is_not_there_is_waited_for(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setattr(secrets_module, "DEADLINE_S", 0.1)
    environment.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(JobFailed, match=f"no Kubernetes API at {HOST}:1: "):
        await fill_secrets()


@pytest.mark.parametrize("status", [400, 422])
async def test_what_the_api_refuses_is_not_repeated_nor_shown(
    kubernetes: FakeKubernetes, status: int
) -> None:
    kubernetes.fail_on("patch", status)
    refused = rf"refuses to patch the Secret 'mind-api-keys' \({status}\)"
    with pytest.raises(JobFailed, match=refused) as caught:
        await fill_secrets()
    assert "data" not in str(caught.value)
    assert kubernetes.answered == [("get", 200), ("patch", status)]


async def test_bytes_that_are_no_text_are_named(kubernetes: FakeKubernetes) -> None:
    kubernetes.add("secrets", KEYS, {"admin": base64.b64encode(b"\xff\xfe").decode()})
    with pytest.raises(JobFailed, match="'admin' of the Secret 'mind-api-keys' is not"):
        await fill_secrets()


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("INTERNAL_SECRET", "INTERNAL_SECRET is not set"),
        ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_HOST is not set"),
        ("ADDRESSES", "ADDRESSES is not set"),
        ("CACHE_HOST", "set CACHE_HOST or CACHE_URL"),
    ],
)
async def test_what_it_must_be_told(
    environment: pytest.MonkeyPatch, variable: str, reason: str
) -> None:
    environment.delenv(variable)
    with pytest.raises(JobFailed, match=reason):
        await fill_secrets()


async def test_a_pod_without_an_account_is_told_so(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setattr(kubernetes_module, "ACCOUNT", Path("/nowhere"))
    with pytest.raises(JobFailed, match="the pod needs automountServiceAccountToken"):
        await fill_secrets()
