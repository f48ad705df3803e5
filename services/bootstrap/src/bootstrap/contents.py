"""What the release's two Secrets hold: keys, passwords, and addresses made of them.

The keys of addresses end with a hash of the servers that they lead to, ADDRESSES, so
that pods for other servers read other keys.
"""

import re
import secrets
from collections.abc import Mapping
from urllib.parse import quote

import orjson

from bootstrap.database import ROLES
from bootstrap.dsn import make_dsn, name_origin, names_database, replace_role
from servicekit.jobs import JobFailed

# 43 characters that mean nothing to a URL, a shell or YAML.
SECRET_BYTES = 32
KEYS_FILE = "keys.json"
KEY_SCOPES = {"admin": ["read", "write", "admin"], "read": ["read"]}
MADE_ONCE = (
    "service-key",
    "postgres-password",
    "replication-password",
    "cache-password",
    *(f"{role}-password" for role in ROLES),
)

# The hashes whose addresses are kept, the newest first.
ADDRESSES_KEY = "addresses"
# Of the servers now, and of those that pods of upgrades not yet through may still read.
HASHES_KEPT = 3
ADDRESS_KEY = re.compile(rf"(?:(?:{'|'.join(ROLES)})(?:-\w+)?|cache)-url-(\w+)")

# A Secret's texts by their keys; None takes one away.
Texts = Mapping[str, str]
Wanted = dict[str, str | None]


def complete_keys(known: Texts) -> Wanted:
    """The API keys, and the file by which the services know them."""
    made = {name: _make() for name in KEY_SCOPES if not known.get(name)}
    keys = {**known, **made}
    file = known.get(KEYS_FILE)
    # What a person took out of the file stays out.
    entered = made if file else KEY_SCOPES
    if not entered:
        return {}
    entries = [
        {"key": keys[name], "scopes": KEY_SCOPES[name], "agents": ["*"]}
        for name in entered
    ]
    return {**made, KEYS_FILE: orjson.dumps(_entries(file) + entries).decode()}


def complete_internal(known: Texts, environment: Mapping[str, str]) -> Wanted:
    """Passwords between the parts, and how each role reaches its servers."""
    made = {name: _make() for name in MADE_ONCE if not known.get(name)}
    passwords = {**known, **made}
    current = environment.get("ADDRESSES")
    if not current:
        raise JobFailed("ADDRESSES is not set")
    kept = _kept(known, current)
    wanted: Wanted = {
        **made,
        **_outdated(known, kept),
        ADDRESSES_KEY: " ".join(kept),
        f"cache-url-{current}": _cache_url(passwords, environment),
    }
    for name, address in _addresses(environment).items():
        for role in ROLES:
            password = passwords[f"{role}-password"]
            wanted[f"{role}-{name}-{current}"] = address and replace_role(
                address, role, password
            )
    return wanted


def _kept(known: Texts, current: str) -> list[str]:
    before = known.get(ADDRESSES_KEY, "").split()
    return [current, *(each for each in before if each != current)][:HASHES_KEPT]


def _outdated(known: Texts, kept: list[str]) -> Wanted:
    found = {key: ADDRESS_KEY.fullmatch(key) for key in known}
    return {key: None for key, match in found.items() if match and match[1] not in kept}


def _make() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def _entries(file: str | None) -> list[object]:
    try:
        entries = orjson.loads(file or "[]")
    except orjson.JSONDecodeError:
        entries = None
    if not isinstance(entries, list):
        raise JobFailed(f"{KEYS_FILE} holds no JSON list; remove it to have it anew")
    return entries


def _cache_url(passwords: Texts, environment: Mapping[str, str]) -> str:
    if url := environment.get("CACHE_URL"):
        return url
    if host := environment.get("CACHE_HOST"):
        return f"redis://:{quote(passwords['cache-password'], safe='')}@{host}/0"
    raise JobFailed("set CACHE_HOST or CACHE_URL")


def _addresses(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Servers by the name of their keys; None where there are none of a kind."""
    primary = _address("DATABASE_RW", environment)
    if primary is None:
        raise JobFailed("set DATABASE_RW_HOST and DATABASE_NAME, or DATABASE_RW_DSN")
    return {
        "url": primary,
        "replica-url": _address("DATABASE_RO", environment),
        "direct-url": _address("DATABASE_DIRECT", environment),
    }


def _address(variable: str, environment: Mapping[str, str]) -> str | None:
    host, name = environment.get(f"{variable}_HOST"), environment.get("DATABASE_NAME")
    if host and name:
        return make_dsn(host, name)
    dsn = environment.get(f"{variable}_DSN")
    if not dsn:
        return None
    if not names_database(dsn):
        named = name_origin(f"{variable}_DSN", environment)
        raise JobFailed(
            f"{named} is not an address of a database: write it as "
            "postgresql://role:password@host:5432/database, the password "
            "percent-encoded"
        )
    return dsn
