"""What a large import does to everybody else: polls and web writes while the worker imports a million rows.

Each round uploads a file of rows that are all new to a running `soapstone serve --demo`, and while the job runs sends
200 polls a second for that job, 5 logons and 5 new groups. Then the server is started again without a worker, as
`soapstone web`, and for as long the same load is sent to it beside two loops that do nothing but work, at the worker's
niceness. Nothing is bound to a core. Latencies count from when a request was due.

Demanded, of the medians over the rounds: the 99th percentile of the polls is at most twice that beside the loops, and
the 99th percentile of the writes at most half a second.

Arguments: rows (1000000) and rounds (3). Exit code 1 when a demand is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import served

POLLS_A_SECOND, WRITES_A_SECOND = 200, 5
LOOPS = 2
MOST_TIMES_SLOWER, SLOWEST_WRITE = 2.0, 0.5
# Seconds that one import may take.
PATIENCE = 900.0
MARK = b"#" * 12
SPIN = "while True: pass"
NAMES = ("polls", "logons", "new groups")


def call(operation: str, members: str, session: str) -> bytes:
    """A request of the session."""
    return served.envelope(f'<{operation} xmlns="{served.NAMESPACE}">{members}</{operation}>', session)


def new_group(name: str, session: str) -> bytes:
    """A request for a new group."""
    return call(
        "addGroup", f"<user_id>DEMO</user_id><group_name>{name}</group_name><categoryId>0</categoryId>", session
    )


def upload(server: served.Server, session: str, number: int, rows: int, file: Path) -> int:
    """Send a file of new people into a new group; the number of the job."""
    made = served.members(served.post(server.port, "addGroup", new_group(f"import {number}", session)), "addGroup")
    with file.open("w", encoding="ascii", newline="\n") as out:
        out.write("Email,First_Name,Last_Name,Phone,City,State,Zip,Company\n")
        for n in range(number * rows, (number + 1) * rows):
            # Addresses come in no order, as in a customer's file.
            out.write(f"{n * 2654435761 % (1 << 32):08x}@example{n % 97}.com,First{n % 1000},Last{n % 5000},")
            out.write(f"555-{n % 10000:04},City{n % 300},NY,{n % 99999:05},Company {n % 2000}\n")
    options = "<replace_group>0</replace_group><update_dups>1</update_dups><header_line>1</header_line>"
    members = f"<user_id>DEMO</user_id><groupid>{made['id']}</groupid><csvData>{MARK.decode()}</csvData>{options}"
    before, after = call("uploadListQueue", members, session).split(MARK)
    body = before + file.read_bytes() + after
    queued = served.members(served.post(server.port, "uploadListQueue", body), "uploadListQueue")
    if queued["error"] != "0":
        raise SystemExit(f"the upload was refused: {queued}")
    return int(str(queued["jobid"]))


def streams(session: str, job: int, phase: str) -> list[load.Stream]:
    """Polls for the job, logons, and groups of names that no other phase uses."""
    poll = load.request(served.PATH, served.status_request(session, job), served.headers("getUploadJobStatus"))
    logon = load.request(served.PATH, served.logon(), served.headers("Authenticate"))
    body = new_group(f"{phase} {MARK.decode()}", session)
    group = load.request(served.PATH, body, served.headers("addGroup"))
    return [
        load.Stream(load.same(poll), POLLS_A_SECOND),
        load.Stream(load.same(logon), WRITES_A_SECOND),
        load.Stream(load.numbered(group, MARK), WRITES_A_SECOND),
    ]


class Waiting(threading.Thread):
    """Looks whether a job is over, a few times a second."""

    def __init__(self, wait: Callable[[], served.Members]) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.record: served.Members = {}
        self._wait = wait

    def run(self) -> None:
        try:
            self.record = self._wait()
        finally:
            self.over.set()


def waiting(server: served.Server, session: str, job: int) -> Waiting:
    """Begin to look whether an import is over."""
    wait = Waiting(lambda: served.wait_for_job(server.port, session, job, seconds=PATIENCE, pause=0.25))
    wait.start()
    return wait


def beside_import(folder: Path, number: int, rows: int) -> tuple[list[load.Load], float, str, int, int]:
    """(loads, seconds, session, job, niceness of the worker) of one import."""
    with served.soapstone(folder) as server:
        session = served.session(server.port)
        served.wait_for_job(server.port, session, 1)
        niceness = os.getpriority(os.PRIO_PROCESS, server.children()[0])
        job = upload(server, session, number, rows, folder / "upload.csv")
        wait = waiting(server, session, job)
        loads = load.steady(server.port, streams(session, job, f"i{number}"), going=lambda _: not wait.over.is_set())
        wait.join()
        if wait.record.get("new_added") != str(rows):
            raise SystemExit(f"the import did not add every row: {wait.record}")
        return loads, loads[0].seconds, session, job, niceness


def beside_loops(folder: Path, number: int, session: str, job: int, seconds: float, niceness: int) -> list[load.Load]:
    """The loads of the same on a server without a worker, beside loops."""

    def calmed() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)

    with served.soapstone(folder, worker=False) as server, ExitStack() as stack:
        served.wait_for_job(server.port, session, job)
        for _ in range(LOOPS):
            loop = subprocess.Popen([sys.executable, "-c", SPIN], preexec_fn=calmed)
            stack.callback(loop.wait)
            stack.callback(loop.kill)
        return load.steady(server.port, streams(session, job, f"l{number}"), going=lambda past: past < seconds)


def percentiles(loads: list[load.Load]) -> list[float]:
    return [found.percentile(0.99) for found in loads]


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    importing: list[list[float]] = []
    looping: list[list[float]] = []
    with TemporaryDirectory() as name:
        for number in range(rounds):
            folder = Path(name)
            loads, seconds, session, job, niceness = beside_import(folder, number, rows)
            importing.append(percentiles(loads))
            beside = beside_loops(folder, number, session, job, seconds, niceness)
            looping.append(percentiles(beside))
            print(f"round {number + 1}: {rows:,} rows in {seconds:.1f} s ({rows / seconds:,.0f} a second)")
            for what, now, then in zip(NAMES, loads, beside, strict=True):
                print(f"  {what:<11} beside the import {described(now)}   beside loops {described(then)}", flush=True)
    ratio = median(now[0] / then[0] for now, then in zip(importing, looping, strict=True))
    slowest = max(median(each[n] for each in importing) for n in (1, 2))
    print(
        f"{POLLS_A_SECOND} polls, {WRITES_A_SECOND} logons and {WRITES_A_SECOND} new groups a second;"
        f" median of {rounds} rounds; niceness of the worker and the loops: {niceness}"
    )
    calm = ratio <= MOST_TIMES_SLOWER
    print(f"p99 of polls: {ratio:.2f} of that beside loops, at most {MOST_TIMES_SLOWER:g} demanded: {said(calm)}")
    quick = slowest <= SLOWEST_WRITE
    print(f"p99 of writes: {slowest:.2f} s, at most {SLOWEST_WRITE:g} s demanded: {said(quick)}")
    sys.exit(0 if calm and quick else 1)


def described(found: load.Load) -> str:
    """Percentiles in milliseconds."""
    figures = [f"{name} {found.percentile(share) * 1e3:7.1f}" for name, share in (("p50", 0.5), ("p99", 0.99))]
    return f"{' '.join(figures)} max {max(found.latencies) * 1e3:7.1f} ms"


def said(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    main()
