"""Moving a large account here from a served one, beside what the source needs to answer the same pages.

    .venv/bin/python bench/migrate.py [--contacts 100000] [--contract listrak|magnetmail]

Prints contacts a second at which the source answers its pages to a client that throws them away, the same for the whole
command `soapstone migrate`, the share of the one in the other, and the largest memory of the command. Profiles of
Listrak, one call for each contact, are left out: they take as long as the source needs for these calls.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from soapstone.clock import now
from soapstone.contacts.transfers import Place, Told
from soapstone.listrak import operations as lk
from soapstone.listrak.types import WSUser
from soapstone.magnetmail import operations as mm
from soapstone.magnetmail import types as mt
from soapstone.migration.magnetmail_account import Session
from soapstone.migration.source import Pace, Source
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.vocabulary.contacts import MembershipState
from soapstone.wire.types import Struct

LISTS, PAGE, PASSWORD = 4, 2000, "secret for a bench"
OPEN = datetime(1, 1, 1)  # noqa: DTZ001 - goes out without zone


def made(folder: Path, contacts: int) -> None:
    """Make records with an account, and fill it."""
    settings = Settings(data_dir=folder)
    folder.mkdir()
    database = Database(settings.database)
    schema.upgrade(database)
    product = Product.open(settings, database)
    account = product.accounts.create("BENCH", time_zone="America/New_York")
    product.accounts.add_login(account, "bench", PASSWORD)
    lists = [product.lists.create(account.id, f"List {n}").id for n in range(LISTS)] if contacts else []
    began = now() - timedelta(days=300)
    for start in range(0, contacts, PAGE):
        numbers = range(start, min(start + PAGE, contacts))
        with product.transfers.begin(account) as transfer:
            told = [
                Told(email=f"person{n}@host{n % 97}.example.com", values={"first_name": f"Name{n % 5000}"})
                for n in numbers
            ]
            places = [
                Place(
                    contact_id=number or 0,
                    state=MembershipState.SUBSCRIBED,
                    added_at=began + timedelta(seconds=20 * n),
                    added_by="API",
                )
                for n, number in zip(numbers, transfer.people(told)[0], strict=True)
            ]
            transfer.join(lists[start * LISTS // contacts], places)
    database.close()


def listrak_pages(lists: list[int]) -> Iterator[Struct]:
    """Yield requests for pages, each list's until the caller skips to the next one by `send`."""
    for each in lists:
        page = 0
        more: Any = True
        while more:
            page += 1
            more = yield lk.ReportSubscribedContacts(ListID=each, Page=page, WSException=None)


def magnetmail_pages(lists: list[int]) -> Iterator[Struct]:
    """Yield the same for the pages of the other contract: recipients, arrivals and members."""
    page, more = 0, True
    while more:
        page += 1
        asked: dict[str, Any] = {"email": "*", "pageNo": page, "pageSize": PAGE}
        more = yield mm.searchForRecipients(criteria=mt.RecipientSearchCriteria(**asked))
    for each in lists:
        yield mm.getSubscribedRecipients(
            user_id=None, startDate=OPEN, endDate=OPEN, group_ids=[each], report_type="add"
        )
        page, more = 0, True
        while more:
            page += 1
            more = yield mm.getGroupRecipients(groupId=each, pageNumber=page, pageCount=PAGE)


class Raw(Source):
    """A source whose answers are thrown away; tells their size."""

    def _ask(self, request: Struct) -> Any:
        reader = sys.modules["soapstone.migration.source"]
        size = 0

        class Nothing:
            def __init__(self, *_: Any) -> None:
                pass

            def feed(self, piece: bytes) -> None:
                nonlocal size
                size += len(piece)

            def finish(self) -> None:
                pass

        kept = reader.AnswerReader
        reader.AnswerReader = Nothing  # type: ignore[attr-defined]
        try:
            super()._ask(request)
        finally:
            reader.AnswerReader = kept  # type: ignore[attr-defined]
        return size


def baseline(base: str, contract: str, lists: list[int]) -> float:
    """Return the seconds in which the source answers all pages."""
    if contract == "listrak":
        header = WSUser(UserName="bench", Password=PASSWORD)
        raw, pages = Raw(f"{base}{lk.CONTRACT.path}", lk.CONTRACT, lambda: header, Pace()), listrak_pages(lists)
    else:
        session = Session("bench", PASSWORD)
        real = Source(f"{base}{mm.CONTRACT.path}", mm.CONTRACT, session.header, Pace())
        session.ask(real, mm.getUserDetails(user_id=None))
        real.close()
        raw, pages = Raw(f"{base}{mm.CONTRACT.path}", mm.CONTRACT, session.header, Pace()), magnetmail_pages(lists)
    began = time.perf_counter()
    request = next(pages)
    while True:
        # An empty page is short.
        size = raw._ask(request)
        try:
            request = pages.send(size > 2000)  # type: ignore[attr-defined]
        except StopIteration:
            break
    taken = time.perf_counter() - began
    raw.close()
    return taken


def cpu(process: int) -> float:
    """Return the seconds of CPU time of a process and of its ended children (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--contract", choices=("listrak", "magnetmail"), default="listrak")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soapstone-migrate-") as name:
        folder = Path(name)
        made(folder / "there", given.contacts)
        made(folder / "here", 0)
        (folder / "password").write_text(PASSWORD)
        program = [sys.executable, "-m", "soapstone"]
        serve = [*program, "serve", "--port", "0", "--data", str(folder / "there")]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True)
            assert server.stdout is not None
            try:
                base = next(line.split()[-1] for line in server.stdout if "serves on" in line)
                time.sleep(3)
                idle = cpu(server.pid)
                pages = baseline(base, given.contract, list(range(1, LISTS + 1)))
                work = cpu(server.pid) - idle
                path = (lk if given.contract == "listrak" else mm).CONTRACT.path
                command = [*program, "migrate", given.contract, f"{base}{path}", "--login", "bench", "--rate", "0"]
                command += ["--password-file", str(folder / "password"), "--data", str(folder / "here")]
                command += ["--profiles", "none"] if given.contract == "listrak" else []
                began = time.perf_counter()
                moving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                assert moving.stdout is not None
                told = moving.stdout.read()
                _, status, usage = os.wait4(moving.pid, 0)
                taken = time.perf_counter() - began
                moving.stdout.close()
            finally:
                server.terminate()
                server.wait()
                server.stdout.close()
        if status or f"new: {given.contacts:,}" not in told:
            raise SystemExit(f"the migration failed:\n{told}")
    print(f"{given.contract}, {given.contacts:,} contacts on {LISTS} lists")
    print(f"the source answers pages of {given.contacts / pages:,.0f} contacts a second")
    print(f"migrate stores {given.contacts / taken:,.0f} contacts a second: {pages / taken:.2f} of that")
    print(f"it takes {usage.ru_maxrss / 1024:,.0f} MiB at most")
    seconds = usage.ru_utime + usage.ru_stime
    print(f"CPU time: {work:.1f} s of the source for its pages, {seconds:.1f} s of the command")


if __name__ == "__main__":
    main()
