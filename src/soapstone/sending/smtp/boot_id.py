"""Which start of this machine it is: what was written before another one may have been lost with the power."""

from __future__ import annotations

from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """A text that is another one after each start of the machine; empty where nobody can tell."""
    try:
        return _LINUX.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
