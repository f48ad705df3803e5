"""Plain SQL migrations by yoyo, one folder a service, recorded in its own schema."""

import importlib
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

__all__ = ["apply_migrations", "migration_folder", "pending"]

DEFAULT_PORT = 5432
# Asked for, not waited for: an index made beside the traffic waits for all statements
# that are under way, and one of them would be the wait for its own end.
TRY_LOCK = """
SELECT pg_try_advisory_xact_lock(hashtext('migrations'), hashtext(current_schema()))
"""
TRY_EVERY_S = 0.1


def migration_folder(package: str) -> Path:
    """`migrations/` in the installed package, or beside `src` in a checkout."""
    package_file = importlib.import_module(package).__file__
    assert package_file is not None
    inside = Path(package_file).parent / "migrations"
    return inside if inside.is_dir() else Path(package_file).parents[2] / "migrations"


def apply_migrations(dsn: str, package: str) -> None:
    """Applies what is missing; whoever runs it at the same time waits."""
    # Loaded here alone: serving needs neither yoyo nor psycopg.
    import yoyo

    backend = yoyo.get_backend(_yoyo_dsn(dsn))
    try:
        migrations = yoyo.read_migrations(str(migration_folder(package)))
        with backend.copy() as guard, guard.transaction():
            # Unlike yoyo's row this lock goes with a process that is killed; under it,
            # a row is what such a process left.
            while not guard.execute(TRY_LOCK).fetchone()[0]:
                time.sleep(TRY_EVERY_S)
            backend.break_lock()
            for migration in backend.to_apply(migrations):
                _apply(backend, migration)
    finally:
        backend.connection.close()


def _apply(backend: Any, migration: Any) -> None:
    migration.load()
    # yoyo itself commits the steps before it records them: a process that ends in
    # between would have them applied a second time. What says `transactional: false`
    # has to bear that.
    together = backend.transaction() if migration.use_transactions else nullcontext()
    with together:
        migration.process_steps(backend, "apply")
        backend.mark_one(migration)


async def pending(connection: asyncpg.Connection, package: str) -> list[str]:
    """Names of migrations that this database has not seen, oldest first."""
    names = sorted(file.stem for file in migration_folder(package).glob("*.sql"))
    try:
        rows = await connection.fetch("SELECT migration_id FROM _yoyo_migration")
    except asyncpg.UndefinedTableError:
        return names
    applied = {row["migration_id"] for row in rows}
    return [name for name in names if name not in applied]


def _yoyo_dsn(dsn: str) -> str:
    parts = urlsplit(dsn)
    netloc, query = parts.netloc, dict(parse_qsl(parts.query))
    role, _, hosts = netloc.rpartition("@")
    if "," in hosts:
        # yoyo reads one host there; libpq takes several from the query.
        split = [urlsplit(f"//{host}") for host in hosts.split(",")]
        query["host"] = ",".join(host.hostname or "" for host in split)
        query["port"] = ",".join(str(host.port or DEFAULT_PORT) for host in split)
        netloc = f"{role}@"
    return urlunsplit(("postgresql+psycopg", netloc, parts.path, urlencode(query), ""))
