"""The reader gives the same from a process of its own, and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soapstone.imports import reader, reading
from soapstone.imports.reading import Event, Staged, Task, read
from soapstone.imports.records import UnreadableError
from soapstone.imports.spec import Column, ImportSpec

SPEC = ImportSpec(columns=(Column(index=0, target="email"), Column(index=1, target="city")))
LARGE = 1 << 40
MakeTask = Callable[..., Task]


@pytest.fixture
def task(tmp_path: Path) -> MakeTask:
    def task(data: bytes, *, chunk_rows: int = 3, stage_rows: int = 3, **more: Any) -> Task:
        (tmp_path / "file").write_bytes(data)
        options: dict[str, Any] = {"kind": "sqlite", "done": 0} | more
        return Task(
            path=str(tmp_path / "file"),
            folder=str(tmp_path),
            spec=SPEC,
            key="email",
            attributes=[],
            chunk_rows=chunk_rows,
            stage_rows=stage_rows,
            most_bytes=1 << 20,
            **options,
        )

    return task


def told(events: Iterator[Event]) -> list[tuple[Event, bytes]]:
    """Events, with what was staged while they were the last."""
    return [(event, Path(event.path).read_bytes() if isinstance(event, Staged) else b"") for event in events]


DATA = b'b@x.com,Ulm\na@x.com,"Bad\nEms"\nbad,x\n\nc@x.com,a\\b\tc\na@x.com,Rom\nd@x.com\n'


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("done", [0, 2, 3, 6])
def test_a_process_of_its_own_tells_the_same(task: MakeTask, kind: str, done: int) -> None:
    given = task(DATA, done=done, kind=kind)
    here = told(read(given))
    assert told(reader.events(given, size=LARGE)) == here
    staged = [event for event, _ in here if isinstance(event, Staged)]
    assert [event.first for event in staged] == [first for first in (done, 3) if first < 6 and first >= done][
        : len(staged)
    ]
    assert sum(len(event.lines) for event in staged) == 6 - done


def test_it_loads_no_tables() -> None:
    """Each large import starts a reader: its start is a part of the import's time, and its memory is beside it."""
    program = "import soapstone.imports.reader, sys; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_a_stage_holds(task: MakeTask) -> None:
    found = told(read(task(DATA, kind="postgresql")))
    rows = [data.decode() for event, data in found if isinstance(event, Staged)]
    # In the order of the keys: place, key, row of the file, address, city. The first row of a@x.com is superseded.
    assert rows == [
        "1\tb@x.com\t0\tb@x.com\tUlm\n",
        "1\ta@x.com\t4\ta@x.com\tRom\n2\tc@x.com\t3\tc@x.com\ta\\\\b\\tc\n3\td@x.com\t5\td@x.com\t\n",
    ]


@pytest.mark.parametrize("merged", [(), (2, 5), (4,)])
def test_a_chunk_is_staged_by_ranges_of_its_keys(task: MakeTask, merged: tuple[int, ...]) -> None:
    """Each of its rows once, those that are rejected and those that are merged already apart."""
    keys = ["f", "b", "", "d", "a", "e", "c"]
    data = "".join(f"{key}@x.com,{n}\n" if key else "bad\n" for n, key in enumerate(keys)).encode()
    given = task(data, chunk_rows=7, stage_rows=2, kind="postgresql", merged=merged)
    # The first chunk is no larger than a stage.
    staged = [(event, text.decode()) for event, text in told(read(given)) if isinstance(event, Staged)]
    assert [event.done for event, _ in staged] == sorted(event.done for event, _ in staged)
    assert staged[-1][0].done == 7
    assert sorted(line for event, _ in staged for line in event.lines) == [n for n in range(1, 8) if n not in merged]
    for event, text in staged:
        assert event.lines == sorted(event.lines)
        rows = [line.split("\t") for line in text.splitlines()]
        assert len(rows) == event.staged == len(event.lines) - len(event.refused)
        for _, key, number, _, place in rows:
            # The number leads to the line, and a value to the row of the file.
            assert event.lines[int(number) - event.first] == int(place) + 1
            assert key == f"{keys[int(place)]}@x.com"
    by_chunk: dict[int, list[str]] = {}
    for event, text in staged:
        chunk = 0 if event.first < 2 else 1 if event.first < 4 else 2
        by_chunk.setdefault(chunk, []).extend(line.split("\t")[1] for line in text.splitlines())
    assert all(found == sorted(found) for found in by_chunk.values())


def test_a_process_tells_why_a_file_cannot_be_read(task: MakeTask) -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        list(reader.events(task(b"\x1f\x8b\x08 no archive"), size=LARGE))
    gone = task(DATA)
    Path(gone.path).unlink()
    with pytest.raises(FileNotFoundError):
        list(reader.events(gone, size=LARGE))


def test_a_fault_of_the_reader_is_one_and_not_a_hindrance(task: MakeTask) -> None:
    """It would wait for what never passes."""
    given = replace(task(DATA), chunk_rows="many")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="fault of its own"):
        list(reader.events(given, size=LARGE))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that readers start."""
    found: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return found


def test_no_process_stays_when_the_reading_is_broken_off(
    task: MakeTask, started: list[subprocess.Popen[bytes]]
) -> None:
    with closing(reader.events(task(DATA, chunk_rows=1), size=LARGE)) as events:
        next(events)
        assert started[0].poll() is None
    assert started[0].poll() is not None


def test_the_process_lets_others_go_first(task: MakeTask, started: list[subprocess.Popen[bytes]]) -> None:
    """The worker holds SQLite's write lock while it merges, and clients wait for web processes."""
    with closing(reader.events(task(DATA, chunk_rows=1), size=LARGE)) as events:
        next(events)
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, started[0].pid) == min(ours + reader.NICENESS, 19)


def test_the_process_goes_on_while_a_stage_is_merged(task: MakeTask, tmp_path: Path) -> None:
    """Also if a pipe does not take what it tells of one stage."""
    many = 2 * reading.AHEAD
    data = b"".join(b"bad%d,%s\n" % (n, b"x" * 100_000) for n in range(many))
    given = replace(task(data, chunk_rows=1, stage_rows=1), most_bytes=len(data))
    with closing(reader.events(given, size=LARGE)) as events:
        next(event for event in events if isinstance(event, Staged))
        # One more is written before the process waits.
        expected = [f"stage-{number}" for number in range(reading.AHEAD + 1)]
        end = time.monotonic() + 20
        while (found := sorted(each.name for each in tmp_path.glob("stage-*"))) != sorted(expected):
            assert time.monotonic() < end, found
            time.sleep(0.01)
        assert sum(isinstance(event, Staged) for event in events) == many - 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_asks_the_worker_to_end_does_not_end_the_process(
    task: MakeTask, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Ctrl-C goes to both: at once, and while the file is read."""
    given = task(DATA, chunk_rows=1)
    expected = list(read(given))

    class Signalled(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.send_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Signalled)
    assert list(reader.events(given, size=LARGE)) == expected
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def test_the_worker_may_end_a_reading_that_takes_its_time(
    task: MakeTask, started: list[subprocess.Popen[bytes]]
) -> None:
    """Of a pipe that nobody writes into the reader tells nothing at all."""

    class Enough(Exception):
        pass

    def heed() -> None:
        if len(heeded) == 2:
            raise Enough
        heeded.append(started[0].poll())

    given, heeded = task(b""), list[int | None]()
    Path(given.path).unlink()
    os.mkfifo(given.path)
    with pytest.raises(Enough), closing(reader.events(given, size=LARGE, heed=heed)) as events:
        list(events)
    assert heeded == [None, None]
    assert started[0].poll() is not None


def test_a_killed_process_is_told_from_a_bad_file(task: MakeTask, started: list[subprocess.Popen[bytes]]) -> None:
    with closing(reader.events(task(DATA, chunk_rows=1), size=LARGE)) as events:
        next(events)
        os.kill(started[0].pid, signal.SIGKILL)
        with pytest.raises(ChildProcessError):
            list(events)
