"""Returning freed memory to the system or not (glibc only), and how often Python looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# mallopt(3), malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

# New objects after which Python looks for garbage among them.
_NEW_OBJECTS = 100_000


@contextmanager
def loading() -> Iterator[None]:
    """Load modules in this block. That makes no garbage, and looking for it would take a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def limit_heap() -> None:
    """Let freed memory return to the system. Call this before the first thread starts.

    Otherwise every thread has a heap of its own, which keeps the memory of load peaks.
    """
    # Set thresholds stay fixed; the defaults of both grow.
    _set({_M_MMAP_THRESHOLD: 128 * 1024, _M_TRIM_THRESHOLD: 256 * 1024, _M_ARENA_MAX: 2})


def keep_heap() -> None:
    """Keep freed memory for what comes next: for a process that does the same for each piece of a file, and ends."""
    _set({_M_MMAP_THRESHOLD: 32 << 20, _M_TRIM_THRESHOLD: 64 << 20})


def _set(values: Mapping[int, int]) -> None:
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    for parameter, value in values.items():
        mallopt(parameter, value)


def collect_rarely() -> None:
    """Let Python look for garbage more rarely.

    A worker holds many records at once, and looking at them again and again took a third of the recorder's time.
    """
    gc.set_threshold(_NEW_OBJECTS)
