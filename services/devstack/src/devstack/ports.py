"""The ports that the stack needs."""

import errno
import socket

from devstack.errors import StackError
from devstack.settings import SERVICE_COUNT

HOST = "127.0.0.1"


def check_ports(port: int) -> None:
    """Raises StackError where one of the four is taken."""
    for needed in range(port, port + SERVICE_COUNT + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, needed))
                probe.listen(1)
            except OSError as error:
                raise _refusal(port, needed, error) from error


def _refusal(port: int, needed: int, error: OSError) -> StackError:
    last = port + SERVICE_COUNT
    other = port + 100 if last + 100 <= 65_535 else port - 100
    reason = "in use" if error.errno == errno.EADDRINUSE else f"not ours: {error}"
    return StackError(
        f"port {needed} is {reason} (PORT={port} takes {port} to {last}); "
        f"choose others, for example: PORT={other} make run"
    )
