"""Progress of a command that works in steps of so many rows: a bar in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from soapstone.commands.output import console
from soapstone.store.move import Display

# Seconds between two lines where there is no terminal.
LINE_PACE = 5.0


class _Bar:
    """A bar in a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def step(self, name: str, total: int | None) -> None:
        """Begin a step."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total)

    def advance(self, rows: int) -> None:
        """Count rows."""
        if self._task is not None:
            self._progress.advance(self._task, rows)


class _Lines:
    """A line for each step, and one every few seconds; `err` sends them to standard error."""

    def __init__(self, *, err: bool) -> None:
        self._err = err
        self._name, self._rows, self._at = "", 0, 0.0
        self._total: int | None = None

    def step(self, name: str, total: int | None) -> None:
        """Begin a step."""
        self._name, self._total, self._rows = name, total, 0
        self._at = time.monotonic()
        typer.echo(name, err=self._err)

    def advance(self, rows: int) -> None:
        """Count rows."""
        self._rows += rows
        if time.monotonic() >= self._at + LINE_PACE:
            self._at = time.monotonic()
            of = f" of {self._total:,}" if self._total else ""
            typer.echo(f"{self._name}: {self._rows:,}{of}", err=self._err)


@contextmanager
def step_display(*, quiet: bool) -> Iterator[Display]:
    """Yield the display; with `quiet` it has no bar, and its lines go to standard error."""
    if quiet or not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(err=quiet)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)
