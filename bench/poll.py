"""Polls a second on one core: getUploadJobStatus here, on spyne, on node soap, and the bare HTTP server below us.

Every server runs on the first core, the load on the second; 16 kept connections, rounds interleaved in one run,
medians. The server is `soapstone serve --demo`, asked with a real session for a stored finished job; its idle worker is
moved to the second core. The others hold the same answer in memory:

- spyne under uwsgi, without validation. It needs Python 3.11; elsewhere it is not measured.
- node soap with our own description. Its packages come with `make interop`; without them it is not measured.
- uvicorn with the parser and the loop that we use, and an app that returns those bytes.

A client that polls sends the same bytes again and again, and the server answers them from memory until somebody
commits. That is the row `poll`, and what the demands speak of. In `poll, worked out` every request differs in a
comment, so that each is read, authorised, looked up and written anew.

Arguments: rounds (5) and seconds of each measurement (3). Exit code 1 when a demand is missed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory

import load
import served

CONNECTIONS = 16
SERVER_CORE, LOAD_CORE = 0, 1
SPYNE, NODE, BARE = "spyne under uwsgi", "node soap", "uvicorn, a constant"
POLL, WORKED_OUT = "poll", "poll, worked out"
# How many times as many polls as the other one.
DEMANDS = {SPYNE: 8.0, NODE: 1.2}

OPERATION = "getUploadJobStatus"
JOB = 1
MARK = b"#" * 12
PEERS = Path(__file__).parent / "peers"
NODE_FOLDER = Path(__file__).parent.parent / "tests/interop/node"
HERE = Path(sys.executable).parent


@dataclass
class Row:
    """One thing that is measured, and what came of it in each round."""

    name: str
    server: served.Server
    make: load.Make
    rates: list[float] = field(default_factory=list)
    middle: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        """One round."""
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
            f"{self.name:<20} {median(self.rates):>9,.0f} {work * 1e6:>9.0f} {middle * 1e3:>9.2f} {late * 1e3:>9.2f}"
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
        return one == other


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


def rows(stack: ExitStack, folder: Path) -> Iterator[Row]:
    """Start all servers, and give what is to be measured."""
    ours = stack.enter_context(served.soapstone(folder, core=SERVER_CORE))
    for worker in ours.children():
        served.pin(worker, LOAD_CORE)
        ours.apart.add(worker)
    session = served.session(ours.port)
    given = served.wait_for_job(ours.port, session, JOB)
    poll = served.status_request(session, JOB)
    marked = served.status_request(session, JOB, f"<!-- {MARK.decode()} -->")
    (folder / "answer.xml").write_bytes(served.post(ours.port, OPERATION, poll))
    (folder / "answer.json").write_text(json.dumps(given))
    (folder / "wsdl.xml").write_bytes(served.get(ours.port, "WSDL"))
    headers = served.headers(OPERATION)
    request = load.request(served.PATH, poll, headers)
    yield Row(POLL, ours, load.same(request))
    yield Row(WORKED_OUT, ours, load.numbered(load.request(served.PATH, marked, headers), MARK))
    for name, peer in ((SPYNE, spyne(folder)), (NODE, node(folder)), (BARE, bare(folder))):
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
    print(f"{'':<20} {'answers/s':>9} {'CPU us':>9} {'p50 ms':>9} {'p99 ms':>9} {'load busy':>9}")
    for row in measured.values():
        print(row.line())
    print()
    missed = False
    for name, demand in [*DEMANDS.items(), (BARE, None)]:
        other = measured.get(name)
        if other is None:
            continue
        for ours in (measured[POLL], measured[WORKED_OUT]):
            ratio = median(mine / its for mine, its in zip(ours.rates, other.rates, strict=True))
            verdict = ""
            if demand is not None and ours.name == POLL:
                verdict = f", at least {demand:g} demanded: {'met' if ratio >= demand else 'MISSED'}"
                missed = missed or ratio < demand
            print(f"{ours.name:<16} / {name:<20} {ratio:6.2f}{verdict}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
