"""Brings a service's schema up to date before the service starts."""

import asyncpg

from devstack.errors import StackError
from devstack.logs import RotatingLog
from devstack.processes import Command, run_to_end


async def migrate(package: str, command: Command, log: RotatingLog) -> int:
    """Runs `migrate` where something is missing; returns how many were applied."""
    # Loaded where the database is being started anyway: it costs the start nothing.
    from servicekit.migrations import pending

    connection = await asyncpg.connect(command.environment["DATABASE_URL"])
    try:
        missing = await pending(connection, package)
    finally:
        connection.terminate()
    if missing:
        try:
            await run_to_end(f"migrating {package}", command, log)
        except StackError as error:
            shown = "\n  ".join([str(error), *log.tail()])
            raise StackError(shown) from error
    return len(missing)
