"""New polls while a million rows are imported: the web process on one core, the worker and the load on the other.

2,000 polls a second for as long as the import runs: 127 sessions ask for 10,000 stored jobs in turn, so that no request
comes twice within 1,270,000 of them. Latencies count from when a poll was due. Each round has a server of its own.

Demanded, of the median over the rounds: the 99th percentile is at most 20 ms.

Arguments: rows (1000000) and rounds (3). Exit code 1 when it is missed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import poll
import poll_under_import
import served

POLLS_A_SECOND = 2000
JOBS = range(10_001, 20_001)
SLOWEST_POLL = 0.02


def beside_import(folder: Path, rows: int) -> load.Load:
    """The polls beside one import."""
    with served.soapstone(folder, core=poll.SERVER_CORE) as server:
        for worker in server.children():
            served.pin(worker, poll.LOAD_CORE)
        session = served.session(server.port)
        served.wait_for_job(server.port, session, poll.JOB)
        poll.add_jobs(folder / "data" / "soapstone.sqlite", JOBS)
        sessions = [served.session(server.port) for _ in range(poll.SESSIONS)]
        first = served.status_request(sessions[0], JOBS[0])
        request = load.request(served.PATH, first, served.headers(poll.OPERATION))
        job = poll_under_import.upload(server, session, 0, rows, folder / "upload.csv")
        wait = poll_under_import.waiting(server, session, job)
        stream = load.Stream(poll.new(request, sessions, JOBS), POLLS_A_SECOND)
        [found] = load.steady(server.port, [stream], going=lambda _: not wait.over.is_set())
        wait.join()
        if wait.record.get("new_added") != str(rows):
            raise SystemExit(f"the import did not add every row: {wait.record}")
        return found


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    os.sched_setaffinity(0, {poll.LOAD_CORE})
    late: list[float] = []
    for number in range(rounds):
        with TemporaryDirectory() as folder:
            found = beside_import(Path(folder), rows)
        late.append(found.percentile(0.99))
        print(
            f"round {number + 1}: {rows:,} rows in {found.seconds:.1f} s, {found.rate:,.0f} polls a second: "
            f"{poll_under_import.described(found)}",
            flush=True,
        )
    met = median(late) <= SLOWEST_POLL
    print(f"p99 {median(late) * 1e3:.1f} ms, at most {SLOWEST_POLL * 1e3:g} demanded: {poll_under_import.said(met)}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
