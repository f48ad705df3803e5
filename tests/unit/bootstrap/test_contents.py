"""What the Secrets are to hold: made once, made of one another."""

import json
import re
from collections.abc import Mapping

import pytest

from bootstrap.contents import complete_internal, complete_keys
from bootstrap.database import ROLES
from servicekit.jobs import JobFailed
from servicekit.settings import ServiceSettings

OWN = {
    "ADDRESSES": "0own",
    "DATABASE_RW_HOST": "mind-postgresql:5432",
    "DATABASE_NAME": "claude_agi",
    "CACHE_HOST": "mind-cache:6379",
}
FOREIGN = {
    "ADDRESSES": "0foreign",
    "DATABASE_RW_DSN": "postgresql://owner:half%40@a,b:5433/app?sslmode=require",
    "CACHE_URL": "rediss://user:secret@cache:6379/1",
}


def filled(
    known: Mapping[str, str], environment: Mapping[str, str] = OWN
) -> dict[str, str]:
    """The Secret as it stands after the change."""
    wanted = {**known, **complete_internal(known, environment)}
    return {key: text for key, text in wanted.items() if text is not None}


def test_an_empty_secret_gets_all_its_keys() -> None:
    made = filled({})
    assert set(made) == {
        "service-key",
        "postgres-password",
        "replication-password",
        "cache-password",
        "addresses",
        "cache-url-0own",
        *(f"{role}-password" for role in ROLES),
        *(f"{role}-url-0own" for role in ROLES),
    }
    passwords = [made[key] for key in made if "url" not in key and key != "addresses"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", text) for text in passwords)
    assert len(set(passwords)) == len(passwords)
    for role in ROLES:
        password = made[f"{role}-password"]
        assert made[f"{role}-url-0own"] == (
            f"postgresql://{role}:{password}@mind-postgresql:5432/claude_agi"
        )
    assert made["cache-url-0own"] == (
        f"redis://:{made['cache-password']}@mind-cache:6379/0"
    )


def test_what_is_there_stays() -> None:
    made = filled({})
    assert filled(made) == made
    without = {key: text for key, text in made.items() if key != "memory-password"}
    anew = filled(without)
    assert {key for key in made if anew[key] != made[key]} == {
        "memory-password",
        "memory-url-0own",
    }
    assert len(filled(made | {"service-key": ""})["service-key"]) == 43


def test_addresses_follow_the_environment() -> None:
    replica = filled({}, OWN | {"DATABASE_RO_HOST": "mind-postgresql-ro:5432"})
    assert replica["memory-replica-url-0own"].endswith(
        "@mind-postgresql-ro:5432/claude_agi"
    )
    foreign = filled(
        replica, FOREIGN | {"DATABASE_DIRECT_DSN": "postgres://c@direct/app"}
    )
    password = replica["memory-password"]
    assert foreign["memory-password"] == password
    assert foreign["memory-url-0foreign"] == (
        f"postgresql://memory:{password}@a,b:5433/app?sslmode=require"
    )
    assert foreign["memory-direct-url-0foreign"] == (
        f"postgres://memory:{password}@direct/app"
    )
    assert foreign["cache-url-0foreign"] == FOREIGN["CACHE_URL"]
    # Where there are no replicas any more their addresses go.
    assert "memory-replica-url-0foreign" not in foreign
    assert "memory-replica-url-0own" not in filled(replica)


def test_addresses_of_pods_that_still_run_stay() -> None:
    """Of this upgrade's servers and of the two before; each has keys of its own."""

    def moved(known: Mapping[str, str], to: str) -> dict[str, str]:
        return filled(known, OWN | {"ADDRESSES": to, "DATABASE_RO_HOST": f"{to}:5432"})

    def hashes(secret: Mapping[str, str]) -> set[str]:
        return {key.rpartition("-")[2] for key in secret if "-url-" in key}

    person = {"my-url-a": "mine", "memory-url-": "mine"}
    first = moved(person, "a")
    third = moved(moved(first, "b"), "c")
    assert first.items() - third.items() == {("addresses", "a")}
    # Once more changes nothing.
    assert moved(third, "c") == third
    fourth = moved(third, "d")
    assert hashes(fourth) == {"b", "c", "d", "a", ""}
    assert {key for key in third if key not in fourth} == {
        "cache-url-a",
        *(f"{role}-{kind}-a" for role in ROLES for kind in ("url", "replica-url")),
    }
    # The way back is a move as any other.
    assert moved(fourth, "c")["addresses"] == "c d b"
    assert fourth.items() >= person.items()


def test_a_person_s_password_may_hold_anything() -> None:
    made = filled({"safety-password": "a/b:c@d?e#f%41", "cache-password": "p@/#"})
    assert made["safety-url-0own"] == (
        "postgresql://safety:a%2Fb%3Ac%40d%3Fe%23f%2541@mind-postgresql:5432/claude_agi"
    )
    assert made["cache-url-0own"] == "redis://:p%40%2F%23@mind-cache:6379/0"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "ADDRESSES is not set"),
        ({"ADDRESSES": "0"}, "set CACHE_HOST or CACHE_URL"),
        (
            {"ADDRESSES": "0", "CACHE_HOST": "cache:6379"},
            "set DATABASE_RW_HOST and DATABASE_NAME, or",
        ),
        (OWN | {"DATABASE_NAME": ""}, "set DATABASE_RW_HOST and DATABASE_NAME, or"),
        (FOREIGN | {"DATABASE_RW_DSN": "host=db secret"}, "DATABASE_RW_DSN is not an"),
        (FOREIGN | {"DATABASE_RW_DSN": "mysql://a:secret@b/c"}, "DATABASE_RW_DSN is"),
        (FOREIGN | {"DATABASE_RW_DSN": "postgresql://a:secret@b"}, "DATABASE_RW_DSN"),
        (
            FOREIGN | {"DATABASE_RW_DSN": "secret", "DATABASE_RW_DSN_FROM": "a value"},
            r"DATABASE_RW_DSN \(a value\) is not an",
        ),
        (FOREIGN | {"DATABASE_RO_DSN": "http://[secret"}, "DATABASE_RO_DSN is not an"),
        (FOREIGN | {"DATABASE_DIRECT_DSN": "secret"}, "DATABASE_DIRECT_DSN is not an"),
    ],
)
def test_what_cannot_be_an_address_is_named_and_not_shown(
    environment: dict[str, str], reason: str
) -> None:
    with pytest.raises(JobFailed, match=reason) as caught:
        complete_internal({}, environment)
    assert "secret" not in str(caught.value)


def keys_of(secret: Mapping[str, str | None]) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(secret["keys.json"] or "")
    return listed


def test_keys_are_what_the_services_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = complete_keys({})
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setenv("API_KEYS", made["keys.json"] or "")
    monkeypatch.delenv("API_KEYS_FILE", raising=False)
    admin, reader = ServiceSettings().api_keys
    assert admin.key.get_secret_value() == made["admin"]
    assert (admin.scopes, admin.agents) == ({"read", "write", "admin"}, {"*"})
    assert reader.key.get_secret_value() == made["read"]
    assert (reader.scopes, reader.agents) == ({"read"}, {"*"})
    assert len(made["admin"] or "") == 43


def test_keys_are_made_once_and_a_person_s_are_kept() -> None:
    made = {key: text or "" for key, text in complete_keys({}).items()}
    assert complete_keys(made) == {}
    theirs = {"key": "theirs", "scopes": ["read"], "agents": ["ada"]}
    own = made | {"keys.json": json.dumps([theirs])}
    # The read key was taken out of the file: it stays out.
    assert complete_keys(own) == {}
    anew = complete_keys({**own, "admin": ""})
    assert set(anew) == {"admin", "keys.json"}
    assert [entry["key"] for entry in keys_of(anew)] == ["theirs", anew["admin"]]
    # Without a file it is made of the keys that stand.
    assert keys_of(complete_keys({**made, "keys.json": ""})) == keys_of(made)


@pytest.mark.parametrize("file", ["[", "{}", '"secret"', "secret"])
def test_a_broken_file_is_named_and_not_shown(file: str) -> None:
    with pytest.raises(JobFailed, match=r"keys\.json holds no JSON list") as caught:
        complete_keys({"keys.json": file})
    assert "secret" not in str(caught.value)
