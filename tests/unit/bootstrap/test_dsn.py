"""Addresses of the database, one for each role."""

import pytest

from bootstrap.dsn import replace_role


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://admin:p%40ss@db.example:5433/app?sslmode=require",
            "postgresql://memory:new@db.example:5433/app?sslmode=require",
        ),
        (
            "postgresql://admin@/app?host=/run/pg,/run/pg2&port=5432,5433",
            "postgresql://memory:new@/app?host=/run/pg,/run/pg2&port=5432,5433",
        ),
        (
            "postgres://db/app?user=admin&password=old",
            "postgres://memory:new@db/app",
        ),
        ("postgresql:///app", "postgresql://memory:new@/app"),
        (
            "postgresql://admin@[::1]:5432,second:5433/app",
            "postgresql://memory:new@[::1]:5432,second:5433/app",
        ),
    ],
)
def test_an_address_is_the_same_for_another_role(url: str, expected: str) -> None:
    assert replace_role(url, "memory", "new") == expected
