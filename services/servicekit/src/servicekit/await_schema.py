"""`python -m servicekit.await_schema PACKAGE`: ends when its migrations are applied.

It waits as long as it takes for DATABASE_URL's server, role and schema, and says what
it waits for. Small, for it runs beside each start of a pod.
"""

import argparse

from servicekit.connecting import connected
from servicekit.jobs import JobFailed, NotYet, read_setting, run_job, until_done
from servicekit.migrations import migration_folder, pending

__all__ = ["await_schema"]


async def await_schema(dsn: str, package: str) -> None:
    """Returns when the database has seen all of the package's migrations."""

    async def check() -> None:
        async with connected("DATABASE_URL", dsn) as connection:
            missing = await pending(connection, package)
        if missing:
            raise NotYet(f"migrations missing: {', '.join(missing)}")

    try:
        migration_folder(package)
    except ModuleNotFoundError as error:
        raise JobFailed(f"there is no package {package!r} here") from error
    await until_done(check)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser("await_schema")
    parser.add_argument("package", help="whose migrations, such as memory_service")
    package = parser.parse_args().package
    run_job("await-schema", lambda: await_schema(read_setting("DATABASE_URL"), package))


if __name__ == "__main__":
    main()
