"""Memory that was freed: what is kept at hand, and what goes back to the system.

Both are of glibc; elsewhere they do nothing.
"""

import ctypes
from contextlib import suppress

__all__ = ["give_back", "keep_at_hand"]

# What a model takes for its longest text, and frees. Given back each time, its pages
# would come anew from the kernel: for 120 tokens as long again as the model itself.
KEPT_BYTES = 8 << 20
# Larger pieces come from the kernel, and go back to it.
LARGEST_KEPT_BYTES = 4 << 20
# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_at_hand() -> None:
    """Keeps what a model frees after a text for the next one."""
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)


def give_back() -> None:
    """Gives back what a start, a long text or a training has freed: glibc would keep it
    for later, tens of megabytes."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
