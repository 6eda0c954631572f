"""Redirects a second on one core, and events that the recorder stores on SQLite.

Redirects: `soapstone web` with its spool on a disk, each request with the stem of another mail, against uvicorn with an
app that answers the same 302 to all. Both on the first core, the load on the second; rounds interleaved, medians.

Recorder: spooled opens (70 %) and clicks (30 %) on one message, in batches as the worker takes them; events a second of
its own CPU time, since other programs of the machine take part of the clock's.

With a checkout of listmonk, redirects are compared with its statement for a click, by psycopg on eight connections, and
so is the recorder on PostgreSQL; see peers/listmonk_clicks.py. That statement runs on all cores.

    python bench/tracking.py [--rounds 5] [--seconds 3] [--listmonk ~/listmonk]

Exit code 1 when a demand is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import served
from peers.listmonk_clicks import Clicks
from sqlalchemy import func, select

import postgresql

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.tracking.ledger import Sent, send

from soapstone.accounts.account import Accounts
from soapstone.clock import now
from soapstone.heap import collect_rarely
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import mail_events
from soapstone.store.timestamps import EPOCH
from soapstone.tracking.recorder import Recorder
from soapstone.tracking.spool import SUFFIX, SpoolRecord
from soapstone.vocabulary.tracking import MailEventKind

CONNECTIONS = 32
SERVER_CORE, LOAD_CORE = 0, 1
MAILS = 20_000
# Redirects for one of the constant, and events a second.
LEAST_SHARE, LEAST_EVENTS = 0.55, 40_000
# Redirects, and events that are recorded on PostgreSQL, for one click by listmonk's statement.
LEAST_REDIRECTS, LEAST_RECORDED = 5, 10
RECORDS = 200_000
AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
PEERS = Path(__file__).parent / "peers"


def records(folder: Path, url: str = "") -> tuple[Product, Sent]:
    """A data folder with one send; its records are in SQLite, or in the named database."""
    database = Database(url or f"sqlite:///{folder / 'soapstone.sqlite'}")
    schema.upgrade(database)
    account = Accounts(database).create("ACME", time_zone="UTC")
    sent = send(database, account, MAILS, links=20)
    return Product.open(Settings(data_dir=folder), database), sent


def redirects(folder: Path, rounds: int, seconds: float) -> tuple[float, float]:
    """Print and return redirects a second, and their share of the constant."""
    product, sent = records(folder)
    head = f"Host: 127.0.0.1\r\nUser-Agent: {AGENT.decode()}\r\nAccept: */*\r\n\r\n"
    paths = [f"/c/{product.stems.make(sent.message_id, mail)}/{mail % 20 + 1}" for mail in sent.mails]
    requests = [f"GET {path} HTTP/1.1\r\n{head}".encode() for path in paths]
    product.database.close()
    python = sys.executable
    with ExitStack() as stack:
        ports = served.free_port(), served.free_port()
        web = [python, "-m", "soapstone", "web", "--port", str(ports[0]), "--data", str(folder)]
        app = ["--port", str(ports[1]), "--app-dir", str(PEERS), "constant_redirect:app"]
        bare = [python, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", *app]
        stack.enter_context(served.Server(web, ports[0], folder.parent / "web.log", core=SERVER_CORE))
        stack.enter_context(served.Server(bare, ports[1], folder.parent / "bare.log", core=SERVER_CORE))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {LOAD_CORE})
        rates: dict[int, list[float]] = {port: [] for port in ports}
        for _ in range(rounds):
            for port in ports:
                found = load.full(
                    port, lambda n: requests[n % MAILS], connections=CONNECTIONS, seconds=seconds, warm_up=0.5
                )
                rates[port].append(found.rate)
            for path in (folder / "spool").glob(f"*{SUFFIX}"):
                # The worker is not part of this.
                path.unlink()
        os.sched_setaffinity(0, before)
    ours, constant = (rates[port] for port in ports)
    share = median(mine / its for mine, its in zip(ours, constant, strict=True))
    print(f"redirects/s {median(ours):.0f}, constant {median(constant):.0f}, share {share:.2f}")
    return median(ours), share


def recorded(folder: Path, url: str = "") -> tuple[float, float]:
    """Print and return the events a second by the clock and of CPU time."""
    product, sent = records(folder, url)
    dice, moment = random.Random(17), (now() - EPOCH).total_seconds() - 3600
    spool = folder / "spool"
    spool.mkdir()
    for number in range(4):
        with (spool / f"{number:016x}-00000001{SUFFIX}").open("wb") as file:
            for each in range(RECORDS // 4):
                click = dice.random() < 0.3
                kind = MailEventKind.CLICK if click else MailEventKind.OPEN
                address = b"192.0.%d.%d" % (dice.randrange(256), dice.randrange(256))
                place = dice.randrange(1, 21) if click else 0
                at = int((moment + each / 100) * 1e6)
                mail = dice.choice(sent.mails)
                file.write(SpoolRecord(at, kind, sent.message_id, mail, place, address, AGENT).encoded())
    collect_rarely()
    recorder = Recorder(product.database, spool, machine_seconds=5)
    began, worked = time.perf_counter(), time.process_time()
    while recorder.round():
        pass
    spent, worked = time.perf_counter() - began, time.process_time() - worked
    recorder.close()
    with product.database.read() as connection:
        events = connection.execute(select(func.count()).select_from(mail_events)).scalar_one()
    product.database.close()
    print(
        f"events/s {events / spent:.0f} by the clock, {events / worked:.0f} of CPU time ({events} of {RECORDS} records)"
    )
    return events / spent, events / worked


def against_listmonk(checkout: Path, folder: Path, rate: float, rounds: int, seconds: float) -> bool:
    """Print how many of listmonk's clicks go into our redirects and into our events; whether both are enough."""
    with postgresql.server() as server, server.database("listmonk") as theirs, server.database("soapstone") as ours:
        clicks = Clicks(theirs.replace("postgresql+psycopg:", "postgresql:"), checkout)
        clicks.rate(0.5)
        found = median(clicks.rate(seconds) for _ in range(rounds))
        events, _ = recorded(folder, ours)
    print(f"listmonk's clicks/s {found:.0f}: redirects are {rate / found:.1f} times, events {events / found:.1f} times")
    return rate >= LEAST_REDIRECTS * found and events >= LEAST_RECORDED * found


def main() -> None:
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("this needs Linux and two cores: one for the server, one for the load")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--listmonk", type=Path)
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folders = [Path(name) / each / "data" for each in ("redirects", "recorder", "postgresql")]
        for folder in folders:
            folder.mkdir(parents=True)
        rate, share = redirects(folders[0], given.rounds, given.seconds)
        shutil.rmtree(folders[0].parent)
        _, events = recorded(folders[1])
        met = share >= LEAST_SHARE and events >= LEAST_EVENTS
        if given.listmonk is not None:
            met &= against_listmonk(given.listmonk, folders[2], rate, given.rounds, given.seconds)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
