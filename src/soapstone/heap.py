"""Memory that the process gives back to the system (glibc; elsewhere the allocator stays as it is)."""

from __future__ import annotations

import ctypes

# mallopt(3), malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def limit_heap() -> None:
    """Let freed memory go back to the system. To be called before there are threads.

    Every thread would have a heap of its own, which keeps what many requests at once have needed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    # What is set does not grow by itself, as the defaults of both thresholds do.
    mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
    mallopt(_M_TRIM_THRESHOLD, 256 * 1024)
    mallopt(_M_ARENA_MAX, 2)
