"""How the CPU time of work grows with the length of a text."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

# Seconds: shorter times say little. Work that takes less even for the longest text is quick enough.
LEAST = 0.004
LONGEST = 1 << 19
# Twice the text may take so many times as long; with the square of the length it would be four times.
RATIO = 2.5
TRIES = 16


def check_growth(
    text: Callable[[int], Any], work: Callable[[Any], object], *, begin: int = 64, longest: int = LONGEST
) -> None:
    """Check that work on a text of twice the length takes twice as long, more or less.

    `begin` and `longest` are lengths to try. Other work on this machine makes times longer, never shorter: the best of
    several tries counts. Where the machine has become slower meanwhile, it counts what they took in turn.
    """
    size = begin
    while seconds(work, text(size)) < LEAST:
        if size >= longest:
            return
        size *= 2
    # What fits into a cache once may not do so twice: a longer text shows whether it is that.
    for _ in range(2):
        small, large = text(size), text(2 * size)
        once = twice = float("inf")
        ratios = []
        for _ in range(TRIES):
            now = seconds(work, small), seconds(work, large)
            once, twice = min(once, now[0]), min(twice, now[1])
            if twice <= RATIO * once:
                return
            ratios.append(now[1] / now[0])
        if median(ratios) <= RATIO:
            return
        size *= 2
    size //= 2
    raise AssertionError(f"{size} characters take {once:.4f} s, {2 * size} take {twice:.4f} s")


def seconds(work: Callable[[Any], object], text: Any) -> float:
    """The CPU time of work on a text, without that of the collector, which goes through all objects of the process."""
    collects = gc.isenabled()
    gc.disable()
    try:
        began = process_time()
        work(text)
        return process_time() - began
    finally:
        if collects:
            gc.enable()
