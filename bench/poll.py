"""Polls a second on one core, here, on gSOAP, on spyne, on node soap, and the bare HTTP server below us.

Every server runs on the first core, the load on the second; 16 kept connections, rounds interleaved in one run,
medians. The server is `soapstone serve --demo`, asked with real sessions for stored finished jobs; its idle worker is
moved to the second core. The others hold the same answer in memory:

- gSOAP, compiled from our own description, with a thread for each connection. Without Debian's packages `gsoap` and
  `libgsoap-dev` it is not measured.
- spyne under uwsgi, without validation. It needs Python 3.11; elsewhere it is not measured.
- node soap with our own description. Its packages come with `make interop`; without them it is not measured.
- uvicorn with the parser and the loop that we use, and an app that returns those bytes.

In the row `repeated` a client sends the same bytes again and again. In the others no request comes twice within
127,000 of them: 127 sessions ask for 1,000 jobs in turn, in both versions of SOAP, and clients of Listrak ask for the
processes that these jobs are, and for the processes of lists. In `new, 20 commits a second` another program meanwhile
changes a job that nobody asks for.

Arguments: rounds (5) and seconds of each measurement (3). Exit code 1 when a demand is missed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory

import load
import served

CONNECTIONS = 16
SERVER_CORE, LOAD_CORE = 0, 1
GSOAP, SPYNE, NODE, BARE = "gSOAP", "spyne under uwsgi", "node soap", "uvicorn, a constant"
REPEATED, NEW, NEW_12, BUSY = "repeated", "new", "new, SOAP 1.2", "new, 20 commits a second"
PROCESS, LEGACY = "new, GetProcessStatus", "new, GetLegacyProcess…"
# How many times as many polls as the other one.
DEMANDS = {
    REPEATED: {SPYNE: 8.0, NODE: 2.5, GSOAP: 1.0, BARE: 1.2},
    **{name: {NODE: 2.5, GSOAP: 1.0, BARE: 0.5} for name in (NEW, NEW_12, PROCESS, LEGACY)},
    BUSY: {BARE: 0.3},
}

OPERATION = "getUploadJobStatus"
JOB = 1
# Without a common divisor, so that each session asks for each job. All numbers have four digits.
SESSIONS, JOBS = 127, range(1001, 2001)
COMMITS_A_SECOND = 20
LISTRAK, LISTRAK_PATH = "http://webservices.listrak.com/v31/", "/v31/IntegrationService.asmx"
PEERS = Path(__file__).parent / "peers"
NODE_FOLDER = Path(__file__).parent.parent / "tests/interop/node"
HERE = Path(sys.executable).parent


@dataclass
class Row:
    """One thing that is measured, and what came of it in each round."""

    name: str
    server: served.Server
    make: load.Make
    busily: Callable[[], AbstractContextManager[None]] = nullcontext
    rates: list[float] = field(default_factory=list)
    middle: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        """One round."""
        with self.busily():
            used = self.server.cpu()
            found = load.full(self.server.port, self.make, connections=CONNECTIONS, seconds=seconds, warm_up=0)
        self.work.append((self.server.cpu() - used) / len(found.latencies))
        self.rates.append(found.rate)
        self.middle.append(found.percentile(0.5))
        self.late.append(found.percentile(0.99))
        self.busy.append(found.busy)

    def line(self) -> str:
        """Medians, as a line of the table."""
        work, middle, late = (median(values) for values in (self.work, self.middle, self.late))
        return (
            f"{self.name:<24} {median(self.rates):>9,.0f} {work * 1e6:>9.0f} {middle * 1e3:>9.2f} {late * 1e3:>9.2f}"
            f" {median(self.busy):>9.0%}"
        )


def same(one: served.Members, other: served.Members) -> bool:
    """Whether two answers say the same; numbers may be written in different ways."""
    return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)


def _same(one: str | served.Members, other: str | served.Members) -> bool:
    if isinstance(one, dict) or isinstance(other, dict):
        return isinstance(one, dict) and isinstance(other, dict) and same(one, other)
    try:
        return float(one) == float(other)
    except ValueError:
        # gSOAP writes all dates in UTC.
        return one.removesuffix("Z") == other.removesuffix("Z")


def gsoap(folder: Path) -> served.Server | str:
    """gSOAP, or why not."""
    if which("soapcpp2") is None or which("g++") is None:
        return "install Debian's packages gsoap, libgsoap-dev and g++"
    build = f"""
        cp {folder}/wsdl.xml service.wsdl
        wsdl2h -o service.h service.wsdl
        soapcpp2 -j -S -x -w -I/usr/share/gsoap/import -I/usr/share/gsoap service.h
        g++ -O2 -w -DWITH_DEFAULT_VIRTUAL -I. -o program {PEERS}/gsoap.cpp soap*.cpp -lgsoap++ -lpthread
    """
    made = folder / "gsoap"
    made.mkdir()
    subprocess.run(["sh", "-ec", build], cwd=made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (made / "answer.txt").write_text("".join(_lines(json.loads((folder / "answer.json").read_text()))))
    port = served.free_port()
    return served.Server(
        [str(made / "program"), str(port), str(made / "answer.txt")], port, folder / "gsoap.log", core=SERVER_CORE
    )


def _lines(members: served.Members, before: str = "") -> Iterator[str]:
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{before}{name}.")
        else:
            yield f"{before}{name}\t{value}\n"


def spyne(folder: Path) -> served.Server | str:
    """spyne under uwsgi, or why not. A thread for each connection: uwsgi keeps a thread as long as its connection."""
    if find_spec("spyne") is None or not (HERE / "uwsgi").exists():
        return "it runs on Python 3.11 only" if sys.version_info >= (3, 12) else "run requirements/install.sh bench"
    port = served.free_port()
    options = f"--http11-socket 127.0.0.1:{port} --master --processes 1 --threads {CONNECTIONS} --disable-logging"
    where = ["--need-app", "--die-on-term", "--chdir", str(PEERS), "--module", "spyne_app"]
    command = [str(HERE / "uwsgi"), *options.split(), "--virtualenv", sys.prefix, *where]
    environment = {"ANSWER": str(folder / "answer.json")}
    return served.Server(command, port, folder / "spyne.log", core=SERVER_CORE, environment=environment)


def node(folder: Path) -> served.Server | str:
    """node soap, or why not."""
    program = which("node")
    if program is None or not (NODE_FOLDER / "node_modules/soap").is_dir():
        return "run tests/interop/install.sh"
    port = served.free_port()
    files = [str(folder / "wsdl.xml"), str(folder / "answer.json")]
    command = [program, str(PEERS / "node_soap.mjs"), str(NODE_FOLDER), str(port), *files]
    environment = {"NODE_ENV": "production"}
    return served.Server(command, port, folder / "node.log", core=SERVER_CORE, environment=environment)


def bare(folder: Path) -> served.Server:
    """uvicorn as we use it, and nothing else."""
    port = served.free_port()
    options = "--http httptools --loop uvloop --no-access-log --no-proxy-headers --no-server-header"
    where = ["--port", str(port), "--app-dir", str(PEERS), "constant:app"]
    command = [sys.executable, "-m", "uvicorn", *options.split(), *where]
    environment = {"ANSWER": str(folder / "answer.xml")}
    return served.Server(command, port, folder / "uvicorn.log", core=SERVER_CORE, environment=environment)


def add_jobs(records: Path, numbers: range = JOBS) -> None:
    """Store copies of the finished upload, and one more that nobody asks for, behind them."""
    with closing(sqlite3.connect(records, timeout=60)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(job)") if row[1] != "id"]
        names = ", ".join(columns)
        copy = f"INSERT INTO job (id, {names}) SELECT ?, {names} FROM job WHERE id = {JOB}"
        connection.executemany(copy, [(number,) for number in (*numbers, numbers.stop)])


@contextmanager
def commits(records: Path) -> Iterator[None]:
    """Change a job that nobody asks for."""
    ended = threading.Event()

    def change() -> None:
        with closing(sqlite3.connect(records, timeout=60, isolation_level=None)) as connection:
            number = 0
            while not ended.wait(1 / COMMITS_A_SECOND):
                number += 1
                connection.execute("UPDATE job SET label = ? WHERE id = ?", (f"label {number}", JOBS.stop))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def new(data: bytes, sessions: Sequence[str], numbers: Sequence[int]) -> load.Make:
    """A request with the first of both in it, which takes each of both in turn."""
    before, rest = data.split(sessions[0].encode())
    between, after = rest.split(b">%d<" % numbers[0])
    firsts = [before + session.encode() + between for session in sessions]
    lasts = [b">%d<" % number + after for number in numbers]
    return lambda n: firsts[n % len(firsts)] + lasts[n % len(lasts)]


def in_soap_12(body: bytes) -> bytes:
    """The same request in the other version."""
    return body.replace(b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope")


def listrak(operation: str, member: str, number: int) -> bytes:
    """A whole request of the other contract, by the demo login."""
    user = f'<WSUser xmlns="{LISTRAK}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
    body = served.envelope(f'<{operation} xmlns="{LISTRAK}"><{member}>{number}</{member}></{operation}>')
    body = body.replace(b"<soap:Body>", f"<soap:Header>{user}</soap:Header><soap:Body>".encode())
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{LISTRAK}{operation}"'}
    return load.request(LISTRAK_PATH, body, headers)


def rows(stack: ExitStack, folder: Path) -> Iterator[Row]:
    """Start all servers, and give what is to be measured."""
    ours = stack.enter_context(served.soapstone(folder, core=SERVER_CORE))
    for worker in ours.children():
        served.pin(worker, LOAD_CORE)
        ours.apart.add(worker)
    session = served.session(ours.port)
    given = served.wait_for_job(ours.port, session, JOB)
    records = folder / "data" / "soapstone.sqlite"
    add_jobs(records)
    sessions = [served.session(ours.port) for _ in range(SESSIONS)]
    poll = served.status_request(session, JOB)
    (folder / "answer.xml").write_bytes(served.post(ours.port, OPERATION, poll))
    (folder / "answer.json").write_text(json.dumps(given))
    (folder / "wsdl.xml").write_bytes(served.get(ours.port, "WSDL"))
    headers = served.headers(OPERATION)
    request = load.request(served.PATH, poll, headers)
    yield Row(REPEATED, ours, load.same(request))
    first = served.status_request(sessions[0], JOBS[0])
    yield Row(NEW, ours, new(load.request(served.PATH, first, headers), sessions, JOBS))
    headers_12 = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{served.NAMESPACE}{OPERATION}"'}
    yield Row(NEW_12, ours, new(load.request(served.PATH, in_soap_12(first), headers_12), sessions, JOBS))
    process = listrak("GetProcessStatus", "ProcessID", JOBS[0])
    yield Row(PROCESS, ours, new(process, ["demo</UserName>"], JOBS))
    lists = [listrak("GetLegacyProcessStatus", "ListID", number) for number in (1, 2, 3)]
    yield Row(LEGACY, ours, lambda n: lists[n % len(lists)])
    busy = new(load.request(served.PATH, first, headers), sessions, JOBS)
    yield Row(BUSY, ours, busy, partial(commits, records))
    for name, peer in ((GSOAP, gsoap(folder)), (SPYNE, spyne(folder)), (NODE, node(folder)), (BARE, bare(folder))):
        if isinstance(peer, str):
            print(f"{name} is not measured: {peer}")
            continue
        stack.enter_context(peer)
        if not same(served.members(served.post(peer.port, OPERATION, poll), OPERATION), given):
            raise SystemExit(f"{name} does not give the same answer")
        yield Row(name, peer, load.same(request))


def main() -> None:
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("this needs Linux and two cores: one for the server, one for the load")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    with TemporaryDirectory() as name, ExitStack() as stack:
        measured = {row.name: row for row in rows(stack, Path(name))}
        os.sched_setaffinity(0, {LOAD_CORE})
        for row in measured.values():
            load.full(row.server.port, row.make, connections=CONNECTIONS, seconds=1.0)
        for _ in range(rounds):
            for row in measured.values():
                row.measure(seconds)
    print(f"{OPERATION}, one core, {CONNECTIONS} connections, median of {rounds} rounds of {seconds:g} s")
    print(f"{'':<24} {'answers/s':>9} {'CPU us':>9} {'p50 ms':>9} {'p99 ms':>9} {'load busy':>9}")
    for row in measured.values():
        print(row.line())
    print()
    missed = False
    for mine, demands in DEMANDS.items():
        for name, demand in demands.items():
            if name not in measured:
                continue
            pairs = zip(measured[mine].rates, measured[name].rates, strict=True)
            ratio = median(one / other for one, other in pairs)
            verdict = "met" if ratio >= demand else "MISSED"
            missed = missed or ratio < demand
            print(f"{mine:<24} / {name:<20} {ratio:6.2f}, at least {demand:g} demanded: {verdict}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
