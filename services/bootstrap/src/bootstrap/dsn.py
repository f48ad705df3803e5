"""Addresses of PostgreSQL, one for each role."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit


def name_origin(variable: str, environment: Mapping[str, str]) -> str:
    """The variable, with the setting that it comes from where that is told."""
    origin = environment.get(f"{variable}_FROM")
    return f"{variable} ({origin})" if origin else variable


def make_dsn(hosts: str, database: str) -> str:
    """The address of a database, without a role."""
    return f"postgresql://{hosts}/{quote(database, safe='')}"


def replace_role(url: str, role: str, password: str) -> str:
    """The same servers and database for another role."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(role, safe='')}:{quote(password, safe='')}@{hosts}"
    query = urlencode(
        [
            (key, value)
            for key, value in parse_qsl(parts.query)
            if key not in {"user", "password"}
        ],
        safe="/,:",
    )
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def names_database(url: str) -> bool:
    """Whether it is an address, and says which database; else that is the role's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    named = parts.path.strip("/") or dict(parse_qsl(parts.query)).get("dbname")
    return parts.scheme in {"postgres", "postgresql"} and bool(named)
