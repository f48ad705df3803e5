"""Where the files of the embedded servers lie, and which account owns them."""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devstack.account import Account, choose_account
from devstack.errors import StackError
from devstack.programs import Programs, find_programs

# Used as root where the unprivileged account cannot reach the data folder.
OUTSIDE = Path("/var/lib/claude-agi")
# sun_path holds 107 bytes on Linux and 103 on macOS.
MAX_SOCKET_PATH_BYTES = 103
LONGEST_SOCKET_NAME = "/.s.PGSQL.65535"
# A comma parts socket folders and hosts of a DSN; others would need quoting there.
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/@+-]+")


@dataclass(frozen=True)
class Store:
    """The layout below a data folder; `place` may lie outside of it."""

    folder: Path
    place: Path
    run: Path
    logs: Path
    account: Account | None
    programs: Programs
    notices: tuple[str, ...] = ()

    @classmethod
    def prepare(cls, folder: Path) -> "Store":
        """Makes what is missing of the layout; raises StackError or OSError."""
        make_data_folder(folder)
        logs = folder / "logs"
        logs.mkdir(0o700, exist_ok=True)
        account = choose_account(folder / "postgres" / "primary")
        place, notices = _find_place(folder, account)
        _make_own(place, account)
        return cls(
            folder=folder,
            place=place,
            run=_make_run_folder(place, account),
            logs=logs,
            account=account,
            programs=find_programs(place, account),
            notices=notices,
        )

    def adopt(self, file: Path) -> None:
        """Gives a file that we made to the servers' account."""
        if self.account is not None:
            self.account.own(file)


def make_data_folder(folder: Path) -> None:
    """Makes the data folder where it is missing."""
    # Root's may be passed, not read: the servers' account has to get through it.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    folder.mkdir(mode, parents=True, exist_ok=True)


def _name_for(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def _find_place(folder: Path, account: Account | None) -> tuple[Path, tuple[str, ...]]:
    link = folder / "postgres"
    if link.is_symlink():
        place = link.readlink()
    elif account is None or account.reaches(link):
        return link, ()
    elif link.exists():
        raise StackError(
            f"{link} cannot be reached by the servers' user any more: let others "
            "search the folders above it, or choose another folder by DATA_DIR"
        )
    else:
        return _place_outside(folder, link)
    return place, (f"PostgreSQL's files are in {place}",)


def _place_outside(folder: Path, link: Path) -> tuple[Path, tuple[str, ...]]:
    OUTSIDE.mkdir(0o711, parents=True, exist_ok=True)
    place = OUTSIDE / _name_for(folder)
    notices = [f"PostgreSQL's files go to {place}: only root can reach {folder}"]
    if place.exists():
        # The data folder was removed; what was outside is its other half.
        kept = place.with_suffix(".old")
        shutil.rmtree(kept, ignore_errors=True)
        place.rename(kept)
        notices.append(f"what a removed {folder} left there is now {kept}")
    link.symlink_to(place)
    return place, tuple(notices)


def _make_own(folder: Path, account: Account | None) -> None:
    """Makes a folder for the servers alone, or sees that it is theirs."""
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        status = folder.lstat()
        owner = account.uid if account else os.geteuid()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner:
            raise StackError(
                f"{folder} belongs to another user: start as that user, or choose "
                "another folder by DATA_DIR"
            ) from None
    else:
        if account is not None:
            account.own(folder)


def _make_run_folder(place: Path, account: Account | None) -> Path:
    run = place / "run"
    longest = f"{run}{LONGEST_SOCKET_NAME}"
    if len(longest.encode()) > MAX_SOCKET_PATH_BYTES or not PLAIN_PATH.fullmatch(
        longest
    ):
        run = Path(tempfile.gettempdir()) / f"claude-agi-{_name_for(place)}"
    _make_own(run, account)
    return run
