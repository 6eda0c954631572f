"""How long a thread of Python goes on before another one gets its turn."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds of a short turn; Python's own are ten times as long.
SHORT = 0.0005

_lock = threading.Lock()
# How many blocks want short turns now, and how long turns were before the first of them.
_wanted = 0
_before = 0.0


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take short turns in this block, for one that waits for a server's answers beside one that computes.

    It would wait for its turn after each answer, and the server for the next statement.
    """
    global _wanted, _before
    with _lock:
        _wanted += 1
        if _wanted == 1:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(SHORT)
    try:
        yield
    finally:
        with _lock:
            _wanted -= 1
            if not _wanted:
                sys.setswitchinterval(_before)
