"""Returning freed memory to the system (glibc only)."""

from __future__ import annotations

import ctypes

# mallopt(3), malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def limit_heap() -> None:
    """Let freed memory return to the system. Call this before the first thread starts.

    Otherwise every thread has a heap of its own, which keeps the memory of load peaks.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    # Set thresholds stay fixed; the defaults of both grow.
    mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
    mallopt(_M_TRIM_THRESHOLD, 256 * 1024)
    mallopt(_M_ARENA_MAX, 2)
