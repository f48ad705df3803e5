"""`python -m bootstrap.roles`: a role and a schema for each service.

ADMIN_DSN is a superuser's, or of a role with CREATEROLE that may make schemas in its
database; messages name it with ADMIN_DSN_FROM, the setting it comes from. The roles get
THINKING_PASSWORD, MEMORY_PASSWORD and SAFETY_PASSWORD, also where they had others
before.
"""

import os

import asyncpg
import structlog

from bootstrap.database import (
    ROLES,
    RoleTaken,
    ServerTooOld,
    check_version,
    fit_passwords,
    make_roles,
)
from bootstrap.dsn import name_origin
from servicekit.connecting import connected
from servicekit.jobs import JobFailed, NotYet, read_setting, run_job, until_done

# A first start pulls an image, makes a volume and a database.
DEADLINE_S = 300.0

log = structlog.get_logger()


async def make() -> None:
    """Waits for the server; returns when the roles can log in."""
    dsn = read_setting("ADMIN_DSN")
    named = name_origin("ADMIN_DSN", os.environ)
    passwords = {role: read_setting(f"{role.upper()}_PASSWORD") for role in ROLES}

    async def attempt() -> None:
        async with connected(named, dsn) as connection:
            await _make(connection, named, dsn, passwords)

    await until_done(attempt, DEADLINE_S)


async def _make(
    connection: asyncpg.Connection, named: str, dsn: str, passwords: dict[str, str]
) -> None:
    try:
        check_version(connection)
        made = await make_roles(connection, passwords, own_database=False)
        fitted = await fit_passwords(connection, dsn, passwords)
    except (ServerTooOld, RoleTaken) as error:
        raise JobFailed(f"{named}: {error}") from error
    except asyncpg.InsufficientPrivilegeError as error:
        # An operator may grant it a moment after it made the database.
        raise NotYet(
            f"{named}: its role must be allowed to create roles (CREATEROLE), "
            f"schemas (CREATE on the database), and to alter the roles: {error}"
        ) from error
    log.info("the roles are there", made=made, new_passwords=fitted)


if __name__ == "__main__":
    run_job("roles", make)
