"""Memory that was freed: what is kept at hand, and what goes back to the system."""

import ctypes
from contextlib import suppress

__all__ = ["give_back", "keep_at_hand"]

# What the model takes for its longest window, and frees. Given back each time, its
# pages would come anew from the kernel: half as long again as the model itself.
KEPT_BYTES = 4 << 20
# Larger pieces come from the kernel, and go back to it.
LARGEST_KEPT_BYTES = 2 << 20
# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_at_hand() -> None:
    """Has glibc keep what the model frees between two windows; elsewhere nothing."""
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)


def give_back() -> None:
    """glibc keeps what a start or a long text has freed, tens of megabytes, for later.

    Elsewhere this does nothing.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
