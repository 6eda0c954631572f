"""Seconds that Mailman 3 takes to subscribe many addresses to a list, on SQLite.

The way of its documentation for many members at once: `mailman addmembers FILE LIST`, with one address a line and
without a welcome message to each. The list is fresh, everything else is as Mailman sets it up by itself, but that no
mail server is told of the list. The time of the same call with an empty file, which is the program's start, is taken
off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("mailman")
LIST = "bench@example.com"
CONFIGURATION = """\
[mailman]
layout: here
[paths.here]
var_dir: {folder}
[mta]
incoming: mailman.mta.null.NullMTA
"""


def subscribe(folder: Path, addresses: list[str]) -> float:
    """Subscribe the addresses in a folder of its own; seconds."""
    folder.mkdir()
    file, nobody, settings = folder / "members.txt", folder / "nobody.txt", folder / "mailman.cfg"
    file.write_text("".join(f"{address}\n" for address in addresses), encoding="utf-8")
    nobody.touch()
    settings.write_text(CONFIGURATION.format(folder=folder / "var"), encoding="utf-8")
    _run(settings, "create", "--language", "en", LIST)
    start = _run(settings, "addmembers", "--no-welcome-msg", str(nobody), LIST)[0]
    seconds, _ = _run(settings, "addmembers", "--no-welcome-msg", str(file), LIST)
    _, counted = _run(settings, "members", "--count-only", LIST)
    if int(counted) != len(addresses):
        raise SystemExit(f"Mailman counts {counted} members, not {len(addresses)}")
    return seconds - start


def _run(settings: Path, *command: str) -> tuple[float, str]:
    """Seconds and output of a command of Mailman's."""
    # It wants to be told twice.
    always = ["--run-as-root"] if os.geteuid() == 0 else []
    began = time.perf_counter()
    done = subprocess.run(
        [PROGRAM, "-C", str(settings), *always, *command], capture_output=True, text=True, cwd=settings.parent
    )
    if done.returncode:
        raise SystemExit(f"mailman {command[0]}: {done.stdout}{done.stderr}")
    return time.perf_counter() - began, done.stdout.strip()
