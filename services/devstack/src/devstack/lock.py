"""One runner at a time for a data folder."""

import fcntl
import json
import os
from pathlib import Path

from devstack.errors import StackError
from devstack.store import make_data_folder


class Lock:
    """Held as long as this process lives, however it ends."""

    def __init__(self, folder: Path, address: str) -> None:
        make_data_folder(folder)
        file = folder / "lock"
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StackError(f"{folder} is in use {_describe_holder(file)}") from None
        holder = json.dumps({"pid": os.getpid(), "address": address})
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, holder.encode(), 0)

    def release(self) -> None:
        """Lets another runner have the folder."""
        os.close(self._descriptor)


def _describe_holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        return f"by process {holder['pid']}, which serves {holder['address']}"
    except (OSError, ValueError, KeyError):
        return "by another runner"
