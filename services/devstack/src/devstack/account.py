"""As whom the embedded servers run, and what that account can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import StackError

# PostgreSQL refuses to run as root.
UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    uid: int
    gid: int

    def may(self, path: Path, right: int) -> bool:
        """Whether the mode of `path` itself grants `os.R_OK`, `W_OK` or `X_OK`."""
        status = path.stat()
        if status.st_uid == self.uid:
            right <<= 6
        elif status.st_gid == self.gid:
            right <<= 3
        return stat.S_IMODE(status.st_mode) & right == right

    def reaches(self, path: Path) -> bool:
        """Whether every folder above `path` may be passed."""
        return all(self.may(parent, os.X_OK) for parent in path.resolve().parents)

    def own(self, path: Path) -> None:
        """Makes the account the owner of a folder or file that we created."""
        os.chown(path, self.uid, self.gid)


def choose_account(existing: Path) -> Account | None:
    """As whom servers over `existing` run; None: as whoever started the runner.

    As root that is the owner of data that exists, else an unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    if existing.exists() and (owner := existing.stat().st_uid) != 0:
        return Account(owner, existing.stat().st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise StackError(
            f"there is no user {UNPRIVILEGED!r} for PostgreSQL, which refuses to run "
            "as root: start this as an ordinary user"
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)
