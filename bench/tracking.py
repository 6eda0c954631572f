"""Redirects a second on one core, and events that the recorder stores on SQLite.

Redirects: `soapstone web` with its spool on a disk, each request with the stem of another mail, against uvicorn with an
app that answers the same 302 to all. Both on the first core, the load on the second; rounds interleaved, medians.

Recorder: spooled opens (70 %) and clicks (30 %) on one message, in batches as the worker takes them; events a second of
its own CPU time, since other programs of the machine take part of the clock's.

Bounces: reports in Postfix' form about mails to a list, each about another one, read, judged and stored on the disk of
SQLite and PostgreSQL; milliseconds of CPU for each, when they come one after another and when 16 come at once. Python's
own parser of mails, which reads the same reports in turn with them, says how fast the machine is.

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
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email import message_from_bytes, policy
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import served
from peers.listmonk_clicks import Clicks
from sqlalchemy import func, insert, select, update

import postgresql

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.tracking.ledger import Sent, send
from tests.tracking.reports import block, report

from soapstone.accounts.account import Accounts
from soapstone.clock import now
from soapstone.heap import collect_rarely
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import contacts, lists, mail_events, memberships, sends
from soapstone.store.timestamps import EPOCH
from soapstone.tracking.recorder import Recorder
from soapstone.tracking.spool import SUFFIX, SpoolRecord
from soapstone.vocabulary.tracking import IncomingOutcome, MailEventKind

CONNECTIONS = 32
SERVER_CORE, LOAD_CORE = 0, 1
MAILS = 20_000
# Redirects for one of the constant, and events a second.
LEAST_SHARE, LEAST_EVENTS = 0.55, 40_000
# Redirects, and events that are recorded on PostgreSQL, for one click by listmonk's statement.
LEAST_REDIRECTS, LEAST_RECORDED = 5, 10
RECORDS = 200_000
# Bounces that come at once, and milliseconds of CPU for one of them.
AT_ONCE, MOST_MILLISECONDS = 16, 1.0
AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
PEERS = Path(__file__).parent / "peers"


def records(folder: Path, url: str = "", mails: int = MAILS) -> tuple[Product, Sent]:
    """A data folder with one send; its records are in SQLite, or in the named database."""
    database = Database(url or f"sqlite:///{folder / 'soapstone.sqlite'}")
    schema.upgrade(database)
    account = Accounts(database).create("ACME", time_zone="UTC")
    sent = send(database, account, mails, links=20)
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


def to_list(database: Database, sent: Sent) -> None:
    """Make the recipients of a send members of a list that unsubscribes at the third hard bounce."""
    moment, of = now(), {"account_id": sent.account_id}
    dates = {"created_at": moment, "updated_at": moment}
    with database.write() as connection:
        settings = {"bounce_limit": 3}
        values = {**of, "name": "News", "settings": settings, "created_at": moment}
        list_id = connection.execute(insert(lists).values(values).returning(lists.c.id)).scalar_one()
        connection.execute(update(sends).values(list_id=list_id))
        keys = [(number, f"p{number - 1}@example.com") for number in range(1, len(sent.mails) + 1)]
        people = [{**of, **dates, "id": n, "email": key, "email_key": key, "unique_email": key} for n, key in keys]
        connection.execute(insert(contacts), people)
        since = {"state": "subscribed", "added_at": moment, "number": 1, "list_id": list_id}
        connection.execute(insert(memberships), [{**of, **since, "contact_id": number} for number, _ in keys])


def returned(product: Product, sent: Sent, place: int) -> tuple[bytes, str]:
    """A report as Postfix writes it about one of the mails, and the address that it goes to."""
    to, at = f"b+{product.stems.make(sent.message_id, sent.mails[place])}@bounce.example.com", f"p{place}@example.com"
    said = "550 5.1.1 No such user here (in reply to RCPT TO command)"
    fields = f"X-Postfix-Queue-ID: 4QxTz{place}\nX-Postfix-Sender: rfc822; {to}\nArrival-Date: {moment_of(place)}\n\n"
    status = block(at, "failed", "5.1.1", said).replace("\n\n", f"\n{fields}", 1)
    words = f"This is the mail system at mx.example.net.\n\n<{at}>: host mx.example.com[192.0.2.1] said:\n    {said}"
    raw = report(status, text=words, to=to, head="Auto-Submitted: auto-replied\n")
    cut = f"4QxTz{place}.{place}/mx.example.net".encode()
    return raw.replace(b'"cut"', b'"%b"' % cut).replace(b"--cut", b"--" + cut).replace(b"<r1@", b"<%d@" % place), to


def moment_of(place: int) -> str:
    return f"Sun, 1 Nov 2026 10:{place // 60 % 60:02}:{place % 60:02} +0000"


def bounces(folder: Path, rounds: int, url: str = "") -> float:
    """Print milliseconds of CPU for a bounce, alone and among many; return the latter."""
    size = 10 * AT_ONCE
    product, sent = records(folder, url, 2 * size * (rounds + 1))
    to_list(product.database, sent)
    mails = iter([returned(product, sent, place) for place in range(len(sent.mails))])

    def take(mail: tuple[bytes, str]) -> None:
        (taken,) = product.incoming_mails.take(mail[0], [mail[1]], source="lmtp")
        assert taken.outcome is IncomingOutcome.RECORDED, taken

    def parse(mail: tuple[bytes, str]) -> None:
        message_from_bytes(mail[0], policy=policy.default)

    spent: dict[str, list[float]] = {"parser": [], "alone": [], "together": []}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(rounds + 1):
            alone, together = (list(islice(mails, size)) for _ in range(2))
            for name, run in (
                ("parser", partial(map, parse, alone)),
                ("alone", partial(map, take, alone)),
                ("together", partial(threads.map, take, together)),
            ):
                began = time.process_time()
                deque(run(), maxlen=0)
                spent[name].append(1000 * (time.process_time() - began) / size)
    kind = product.database.kind
    product.database.close()
    # The first round loads modules and plans statements.
    parser, single, shared = (median(values[1:]) for values in spent.values())
    print(f"{kind}, ms of CPU: a bounce {single:.2f}, among {AT_ONCE} {shared:.2f}; by the parser {parser:.2f}")
    return shared


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
        folders = [
            Path(name) / each / "data" for each in ("redirects", "recorder", "postgresql", "bounces", "returned")
        ]
        for folder in folders:
            folder.mkdir(parents=True)
        rate, share = redirects(folders[0], given.rounds, given.seconds)
        shutil.rmtree(folders[0].parent)
        _, events = recorded(folders[1])
        met = share >= LEAST_SHARE and events >= LEAST_EVENTS
        with postgresql.server() as server, server.database("bounces") as url:
            spent = [bounces(folders[3], given.rounds), bounces(folders[4], given.rounds, url)]
        met &= max(spent) <= MOST_MILLISECONDS
        if given.listmonk is not None:
            met &= against_listmonk(given.listmonk, folders[2], rate, given.rounds, given.seconds)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
