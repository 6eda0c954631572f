"""The kernel's boot id, to detect a reboot since the last durable write."""

from __future__ import annotations

from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return a text that changes with each boot of the machine; empty if unknown."""
    try:
        return _LINUX.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
