"""Reading and changing people in a large account: a million contacts on 50 lists, SQLite, without the wire.

    .venv/bin/python bench/people.py [--contacts 1000000] [--rounds 3]

Prints how many times as long as `getRecipientDetails` each read of one object takes, and each write; what the last full
page of a report costs in relation to the first when pages are read in order; and what searches take. Medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from soapstone.clock import now
from soapstone.listrak import types as lt
from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.listrak.service import ListrakService
from soapstone.magnetmail import types as mt
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.service import MagnetMailService
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.timestamps import EPOCH
from soapstone.wire.service import Caller

LISTS = 50
CALLER = Caller(peer="127.0.0.1", base_url="http://127.0.0.1:8080", soap_version="1.1")
# Calls of one kind in a round.
CALLS = 200


class Office:
    """A product with many people, and both contracts of it."""

    def __init__(self, folder: Path, contacts: int) -> None:
        settings = Settings(data_dir=folder)
        self.database = Database(settings.database)
        schema.upgrade(self.database)
        self.product = Product.open(settings, self.database)
        self.account = self.product.accounts.create("BENCH", time_zone="UTC")
        self.login = self.product.accounts.add_login(self.account, "bench", "secret")
        self.lists = [self.product.lists.create(self.account.id, f"List {n}").id for n in range(LISTS)]
        self.contacts = contacts
        self._fill()
        self._services: dict[str, Any] = {
            "mm": (MAGNETMAIL, MagnetMailService(self.product)),
            "lk": (LISTRAK, ListrakService(self.product)),
        }
        token = self.product.sessions.open(self.product.logons.identify("bench", "secret", None))
        self._headers: dict[str, Any] = {
            "mm": mt.mmAuthHeader(sessionId=token, user_id=""),
            "lk": lt.WSUser(UserName="bench", Password="secret"),
        }

    def call(self, contract: str, name: str, **members: Any) -> Any:
        """One call, from the checked header to the answer before it is written."""
        declared, service = self._services[contract]
        operation = declared.operations_by_name[name]
        context = service.authorise(operation, self._headers[contract], CALLER)
        return service.handle(operation, context, operation.request(**members), CALLER)

    def address(self, number: int) -> str:
        return f"person{number}@host{number % 97}.example.com"

    def _fill(self) -> None:
        account, moment = self.account.id, (now() - EPOCH).total_seconds() * 1e6
        people = (
            (n, account, self.address(n), self.address(n), self.address(n), f"C{n}", f"Name{n % 5000}", moment, moment)
            for n in range(1, self.contacts + 1)
        )
        members = sorted(
            (self.lists[n % LISTS], n, account, n, "subscribed", int(moment), "Import")
            for n in range(1, self.contacts + 1)
        )
        pooled = self.database.engine.raw_connection()
        driver: Any = pooled.driver_connection
        driver.execute("BEGIN IMMEDIATE")
        driver.executemany(
            "INSERT INTO contact (id, account_id, email, email_key, unique_email, custom_id, last_name, created_at,"
            " updated_at) VALUES (?,?,?,?,?,?,?,?,?)",
            people,
        )
        driver.executemany(
            "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at, added_by)"
            " VALUES (?,?,?,?,?,?,?)",
            members,
        )
        driver.execute("UPDATE account SET last_number = ? WHERE id = ?", (self.contacts, account))
        driver.execute(
            "UPDATE list SET members = (SELECT count(*) FROM membership WHERE list_id = list.id),"
            " subscribed = (SELECT count(*) FROM membership WHERE list_id = list.id)"
        )
        driver.execute("COMMIT")
        driver.execute("ANALYZE")
        pooled.close()
        self.database.checkpoint()


def timed(work: Callable[[int], object], numbers: Iterator[int], calls: int = CALLS) -> float:
    """The median of the microseconds that a call takes."""
    times = []
    for _ in range(calls):
        number = next(numbers)
        began = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def spread(contacts: int) -> Iterator[int]:
    """Numbers of contacts, far from each other."""
    number = 1
    while True:
        number = (number * 48_271 + 11) % contacts + 1
        yield number


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures calls about people.")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soapstone-bench-") as folder:
        began = time.perf_counter()
        office = Office(Path(folder), given.contacts)
        print(f"{given.contacts:,} contacts on {LISTS} lists made in {time.perf_counter() - began:.0f} s", flush=True)
        singles(office, given.rounds)
        pages(office)
        searches(office)
        office.database.close()


def singles(office: Office, rounds: int) -> None:
    """Reads and writes of one object, as multiples of getRecipientDetails."""
    lists, address = office.lists, office.address
    home = {n: lists[n % LISTS] for n in range(LISTS)}

    def contact(n: int) -> Any:
        return lt.WSContact(EmailAddress=address(n), ListID=home[n % LISTS], ContactProfileAttribute=[])

    fresh = iter(range(10_000_000, 20_000_000))
    reads: dict[str, Callable[[int], object]] = {
        "getRecipientDetails": lambda n: office.call("mm", "getRecipientDetails", recipient_id=n),
        "getRecipientGroups": lambda n: office.call("mm", "getRecipientGroups", recipient=mt.Recipient(id=str(n))),
        "getRecipientHistory": lambda n: office.call("mm", "getRecipientHistory", recipient_id=n),
        "GetContact": lambda n: office.call("lk", "GetContact", ListID=home[n % LISTS], ContactEmailAddress=address(n)),
        "GetContactList": lambda n: office.call("lk", "GetContactList", ListID=home[n % LISTS]),
        "getGroupRecipientsCount": lambda n: office.call("mm", "getGroupRecipientsCount", groupId=home[n % LISTS]),
        "getUserDetails": lambda n: office.call("mm", "getUserDetails"),
    }
    kind = lt.ImportProfileTypeEnum.Update
    writes: dict[str, Callable[[int], object]] = {
        "addRecipient": lambda n: office.call("mm", "addRecipient", email=f"new{next(fresh)}@example.com", Groups=[1]),
        "editRecipient": lambda n: office.call(
            "mm", "editRecipient", recipient_id=n, email=address(n), custom_id=f"C{n}", city=f"City {next(fresh)}"
        ),
        "editRecipientGroups": lambda n: office.call(
            "mm", "editRecipientGroups", recipient_id=n, new_groups=[home[(n + 1) % LISTS]]
        ),
        "SetContact": lambda n: office.call("lk", "SetContact", WSContact=contact(n), ProfileUpdateType=kind),
        "SubscribeContact": lambda n: office.call(
            "lk", "SubscribeContact", ListID=home[(n + 2) % LISTS], ContactEmailAddress=address(n)
        ),
        "UnsubscribeContact": lambda n: office.call(
            "lk", "UnsubscribeContact", ListID=home[n % LISTS], ContactEmailAddress=address(n)
        ),
    }
    numbers = spread(office.contacts)
    measured: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work in {**reads, **writes}.items():
            measured.setdefault(name, []).append(timed(work, numbers))
        office.database.checkpoint()
    medians = {name: statistics.median(values) for name, values in measured.items()}
    base = medians["getRecipientDetails"]
    for kinds, most in ((reads, 3), (writes, 10)):
        for name in kinds:
            ratio = medians[name] / base
            verdict = "met" if ratio <= most else "MISSED"
            print(f"{name}: {medians[name]:,.0f} µs, {ratio:.2f} times, at most {most} demanded: {verdict}", flush=True)


def pages(office: Office) -> None:
    """The last full page in relation to the first, read in order."""
    first_list = office.lists[0]

    def ratio(name: str, read: Callable[[int], int], size: int) -> None:
        times, page = [], 1
        while True:
            began = time.perf_counter()
            count = read(page)
            if count < size:
                break
            times.append(time.perf_counter() - began)
            page += 1
        if not times:
            print(f"{name}: no full page")
            return
        # The first one may find nothing in memory.
        read(1)
        began = time.perf_counter()
        read(1)
        first = time.perf_counter() - began
        last = statistics.median(times[-3:])
        verdict = "met" if last <= 2 * first else "MISSED"
        print(f"{name}: {len(times)} full pages, the last {last / first:.2f} times the first, at most 2: {verdict}")

    def report(page: int) -> int:
        answer = office.call("lk", "ReportSubscribedContacts", ListID=first_list, Page=page)
        return len(answer.ReportSubscribedContactsResult)

    def group(page: int) -> int:
        return len(
            office.call("mm", "getGroupRecipients", groupId=first_list, pageNumber=page, pageCount=2000).recipients
        )

    def everybody(page: int) -> int:
        criteria = mt.RecipientSearchCriteria(pageNo=page, pageSize=2000)
        return len(office.call("mm", "searchForRecipients", criteria=criteria).recipients)

    ratio("ReportSubscribedContacts", report, 2500)
    ratio("getGroupRecipients", group, 2000)
    ratio("searchForRecipients, everybody", everybody, 2000)


def searches(office: Office) -> None:
    """What searches take, in milliseconds."""
    numbers = spread(office.contacts)

    def search(**criteria: Any) -> Callable[[int], object]:
        def work(n: int) -> object:
            given = {name: value(n) for name, value in criteria.items()}
            asked = mt.RecipientSearchCriteria(pageNo=1, pageSize=100, **given)
            return office.call("mm", "searchForRecipients", criteria=asked)

        return work

    for name, work, calls in (
        ("the whole address", search(email=office.address), CALLS),
        ("the beginning of an address", search(email=lambda n: f"person{n}*"), CALLS),
        ("the custom id", search(Custom_Id=lambda n: f"C{n}"), CALLS),
        ("the last name (no index)", search(last_name=lambda n: f"name{n % 5000}"), 3),
    ):
        print(f"search by {name}: {timed(work, numbers, calls) / 1000:.2f} ms")


if __name__ == "__main__":
    main()
