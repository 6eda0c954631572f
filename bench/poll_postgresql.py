"""Polls on PostgreSQL: getUploadJobStatus beside uvicorn's constant, and two web processes.

Web processes run on the first core; the load, PostgreSQL and the worker on the second; 16 kept connections, rounds
interleaved in one run, medians. The rows:

- `repeated`: the same bytes again and again, from memory until something changes.
- `new`: sessions ask for jobs in turn, so that no request comes twice within 127,000 of them.
- `unaware`: the same two, where the web process does not know of changes, because a trigger is disabled.
- `two processes`: the repeated polls, half to each of two web processes on the one core.
- `before`: the first two of another source tree, whose path is the third argument.

Arguments: rounds (5), seconds of each measurement (3), the other source tree. Exit code 1 when a demand is missed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import poll
import served

import postgresql

# The part of the constant's rate that repeated polls reach at least.
DEMAND = 0.25
# The part of one process's polls in a second of processor time that two reach together.
TOGETHER = 0.95


def web(stack: ExitStack, folder: Path, url: str, source: Path | None = None) -> served.Server:
    """A web process on the first core."""
    environment = {"SOAPSTONE_DATABASE_URL": url, **({} if source is None else {"PYTHONPATH": str(source)})}
    server = served.soapstone(folder, core=poll.SERVER_CORE, worker=False, environment=environment)
    return stack.enter_context(server)


@contextmanager
def database(server: postgresql.Server, folder: Path, source: Path | None) -> Iterator[str]:
    """The URL of a database with the demo's records, whose jobs are over. It has the name of the folder."""
    folder.mkdir()
    environment = {} if source is None else {"PYTHONPATH": str(source)}
    with server.database(folder.name) as url:
        environment["SOAPSTONE_DATABASE_URL"] = url
        with served.soapstone(folder, environment=environment) as demo:
            served.wait_for_job(demo.port, served.session(demo.port), poll.JOB)
        add_jobs(url)
        yield url


def polls(names: tuple[str, str], server: served.Server) -> Iterator[poll.Row]:
    """Rows of a web process: repeated polls and new ones."""
    sessions = [served.session(server.port) for _ in range(poll.SESSIONS)]
    first = served.status_request(sessions[0], poll.JOBS[0])
    request = load.request(served.PATH, first, served.headers(poll.OPERATION))
    yield poll.Row(names[0], server, load.same(request))
    yield poll.Row(names[1], server, poll.new(request, sessions, poll.JOBS))


def add_jobs(url: str) -> None:
    """Store copies of the finished upload."""
    import psycopg

    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = 'job' AND column_name <> 'id'"
        ).fetchall()[0][0]
        copy = f"INSERT INTO job (id, {columns}) SELECT %s, {columns} FROM job WHERE id = {poll.JOB}".encode()
        connection.cursor().executemany(copy, [(number,) for number in poll.JOBS])


class Pair:
    """Two web processes, measured as one: half of the connections to each."""

    def __init__(self, rows: list[poll.Row]) -> None:
        self.rows = rows

    def measure(self, seconds: float) -> float:
        """Answers in a second of processor time."""
        half = partial(load.full, connections=poll.CONNECTIONS // 2, seconds=seconds, warm_up=0)
        used = sum(row.server.cpu() for row in self.rows)
        with ThreadPoolExecutor(len(self.rows)) as threads:
            running = [threads.submit(half, row.server.port, row.make) for row in self.rows]
            answers = sum(len(each.result().latencies) for each in running)
        return answers / (sum(row.server.cpu() for row in self.rows) - used)


def stop_counting(url: str) -> None:
    """Disable a trigger, so that no web process can know of changes."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE job DISABLE TRIGGER count_change")


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    before = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(postgresql.server())
        served.pin(server.process(), poll.LOAD_CORE)
        url = stack.enter_context(database(server, folder / "polls", None))
        unaware_url = stack.enter_context(database(server, folder / "unaware", None))
        stop_counting(unaware_url)
        ours = web(stack, folder / "polls", url)
        measured = [*polls(("repeated", "new"), ours)]
        unaware = web(stack, folder / "unaware", unaware_url)
        measured += polls(("repeated, unaware", "new, unaware"), unaware)
        if before is not None:
            old = stack.enter_context(database(server, folder / "before", before))
            measured += polls(("repeated, before", "new, before"), web(stack, folder / "before", old, before))
        pair = Pair([next(polls(("", ""), web(stack, folder / "polls", url))) for _ in range(2)])
        body = served.status_request(served.session(ours.port), poll.JOBS[0])
        (folder / "answer.xml").write_bytes(served.post(ours.port, poll.OPERATION, body))
        constant = poll.Row(poll.BARE, stack.enter_context(poll.bare(folder)), measured[0].make)
        os.sched_setaffinity(0, {poll.LOAD_CORE})
        for row in (*measured, *pair.rows, constant):
            load.full(row.server.port, row.make, connections=poll.CONNECTIONS, seconds=1.0)
        together: list[float] = []
        for _ in range(rounds):
            for row in (*measured, constant):
                row.measure(seconds)
            together.append(pair.measure(seconds) * measured[0].work[-1])
        print(f"{poll.OPERATION} on PostgreSQL {server.version()}, {rounds} rounds of {seconds:g} s, medians")
        print(
            f"{'':<26} {'answers/s':>9} {'CPU us':>9} {'p50 ms':>9} {'p99 ms':>9} {'load busy':>9} {'/ constant':>10}"
        )
        for row in (*measured, constant):
            ratio = median(mine / its for mine, its in zip(row.rates, constant.rates, strict=True))
            print(f"{row.line():<76} {ratio:>10.2f}")
        ratio = median(mine / its for mine, its in zip(measured[0].rates, constant.rates, strict=True))
        missed = ratio < DEMAND or median(together) < TOGETHER
        print(f"repeated / constant {ratio:.2f}, at least {DEMAND:g} demanded")
        print(f"two processes / one, in processor time: {median(together):.2f}, at least {TOGETHER:g} demanded")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
