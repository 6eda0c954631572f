"""Figures as people read them: numbers, sizes, times."""

from __future__ import annotations


def number(value: float) -> str:
    """Return a number with separated thousands."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def size(count: int) -> str:
    """Return a number of bytes in a unit that fits."""
    value = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{count:,} bytes" if unit == "bytes" else f"{value:,.1f} {unit}"


def span(seconds: float) -> str:
    """Return how long something took."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "under 1 ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return _minutes(round(seconds))


def rate(each_second: float, what: str) -> str:
    """Return how much of something is done in a second."""
    return f"{each_second:,.{1 if each_second < 10 else 0}f} {what}/s"


def left(seconds: float) -> str:
    """Return how long something will take: in whole seconds, for it is a guess."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else "under 1 s"
    return _minutes(whole)


def _minutes(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
