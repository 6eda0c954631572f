"""The reader: reads an import's file for the merge, a large one in a process of its own.

On two cores the next chunk is parsed, checked and staged while the one before is merged.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from soapstone.heap import keep_heap
from soapstone.imports.reading import AHEAD, Event, Staged, Task, read
from soapstone.imports.records import UnreadableError

# Reading a smaller file, in bytes, takes less time than starting a process.
LARGE_BYTES = 4 << 20
# Niceness of the process: the worker, which holds SQLite's write lock while it merges, and web processes go first.
NICENESS = 5
# Milliseconds between two calls of `heed` while the process is silent.
_PAUSE = 100


def events(task: Task, *, size: int, heed: Callable[[], None] = lambda: None) -> Generator[Event, None, None]:
    """Yield the events of `read` for a file of `size` bytes.

    A reader process ends when this iterator is closed, or when this process ends, however that happens. While it is
    silent, `heed` may end the reading by raising. Raises UnreadableError, OSError, and ChildProcessError if the process
    was killed from outside.
    """
    if size < LARGE_BYTES:
        yield from read(task)
        return
    # Ctrl-C goes to all processes of a terminal's group, also to one that has just begun; the worker decides when the
    # reading ends. A new process begins with the signals blocked that the thread blocks which starts it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        # The command is our own interpreter with our own module.
        command = [sys.executable, "-m", "soapstone.imports.reader"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert process.stdin is not None  # noqa: S101 - as asked for
    assert process.stdout is not None  # noqa: S101
    try:
        with suppress(BrokenPipeError):
            pickle.dump(task, process.stdin)
            process.stdin.flush()
        while (event := _next(process.stdout, heed)) is not None:
            yield event
            if isinstance(event, Staged):
                with suppress(BrokenPipeError):
                    process.stdin.write(b"\n")
                    process.stdin.flush()
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.wait()


def _next(pipe: Any, heed: Callable[[], None]) -> Event | None:
    more = select.poll()
    more.register(pipe, select.POLLIN)
    # What was read ahead of the last event's end is not in the pipe any more.
    os.set_blocking(pipe.fileno(), False)
    while not (pipe.peek() or more.poll(_PAUSE)):
        heed()
    os.set_blocking(pipe.fileno(), True)
    try:
        # The other end is our own process.
        event: Event | Exception | None = pickle.load(pipe)  # noqa: S301
    except (EOFError, pickle.UnpicklingError):
        raise ChildProcessError("the process that reads the file has ended") from None
    if isinstance(event, Exception):
        raise event
    return event


def _main() -> None:
    try:
        task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301
    except (EOFError, pickle.UnpicklingError):
        # The worker died before it sent the task.
        return
    os.nice(NICENESS)
    # Otherwise each block of the file takes new pages from the system.
    keep_heap()
    # Rows hold no cycles, but the collector scans all of them repeatedly: without it, reading takes three quarters of
    # the time.
    gc.freeze()
    gc.disable()
    room = threading.Semaphore(AHEAD)
    threading.Thread(target=_listen, args=(room,), daemon=True).start()
    # A pipe takes little more than one event until the worker reads.
    told: SimpleQueue[Event | Exception | None] = SimpleQueue()
    telling = threading.Thread(target=_tell, args=(told,))
    telling.start()
    answer: Event | Exception | None = None
    try:
        for event in read(task):
            if isinstance(event, Staged):
                room.acquire()
            told.put(event)
            gc.collect()
    except (UnreadableError, OSError, MemoryError, sqlite3.Error) as failure:
        # A plain copy, without parts that cannot be pickled.
        answer = type(failure)(*failure.args)
    except Exception:
        # The trace goes to the log through standard error.
        traceback.print_exc()
        answer = RuntimeError("the reader met a fault of its own")
    told.put(answer)
    telling.join()


def _tell(told: SimpleQueue[Event | Exception | None]) -> None:
    """Send events to the worker, up to the answer, which is no event."""
    going = True
    while going:
        event = told.get()
        going = isinstance(event, Event)
        try:
            pickle.dump(event, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The worker is gone.
            os._exit(0)
        except Exception:
            # Else the reading would wait for ever.
            traceback.print_exc()
            os._exit(1)


def _listen(room: threading.Semaphore) -> None:
    # One byte for each merged stage; the end of the pipe when the worker is gone.
    while os.read(sys.stdin.fileno(), 1):
        room.release()
    os._exit(0)


if __name__ == "__main__":
    _main()
