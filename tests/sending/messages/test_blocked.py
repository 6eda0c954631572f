"""Nobody who must not be mailed is mailed, in whatever way a message is sent: by the ledger, and by what arrived."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from sqlalchemy import update
from tests.sending.conftest import Office
from tests.sending.smtp_trial import Sink

from soapstone.accounts.account import Account, Accounts
from soapstone.jobs.job import Job
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft, Message
from soapstone.sending.send_records import SendTicket
from soapstone.sending.supplied_file import FileForm
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries
from soapstone.vocabulary.deliveries import Purpose
from soapstone.wire.large_calls import LargeCalls
from soapstone.xmlhttp.app import XmlOverHttp

# Who is on the list, as what; `suppressed@` and `banned@` are blocked, and two people share the address `twice@`.
PEOPLE = {
    "good": "subscribed",
    "suppressed": "subscribed",
    "banned": "subscribed",
    "unsubscribed": "unsubscribed",
    "waiting": "waiting",
    "twice": "subscribed",
}
LETTERS = tuple(PEOPLE)


class Place:
    """A list with one person of each sort, on records whose mails go to a real SMTP server."""

    def __init__(self, database: Database, folder: Path, sink: Sink) -> None:
        self.database = database
        self.sink = sink
        settings = Settings(data_dir=folder, smtp_url=f"smtp://127.0.0.1:{sink.port}", smtp_hostname="client.example")
        self.product = Product.open(settings, database)
        # Only where people are known by a number of their own can two of them have one address.
        self.account: Account = Accounts(database).create("CLUB", time_zone="UTC", identifier="custom_id")
        self.product.accounts.add_login(self.account, "api", "secret")
        office = Office(database, self.product.blobs, self.account, folder)
        self.office, self.list = office, office.list
        self.other: ContactList = self.product.lists.create(
            self.account.id, "Other", settings={"from_address": "other@example.com"}
        )
        self.numbers = {name: office.contact(address(name), state) for name, state in PEOPLE.items()}
        self.numbers["again"] = office.contact("TWICE@example.com")
        self._before = 0
        self.forget_mails()

    def block(self) -> None:
        """What was asked for since: bans, suppressed addresses, and that whoever left left everything."""
        self.product.suppressions.add(self.account.id, address("suppressed"))
        self.product.suppressions.add(self.account.id, address("banned"), kind="banned")
        with self.database.write() as connection:
            left = contacts.c.id == self.numbers["unsubscribed"]
            connection.execute(update(contacts).where(left).values(unsubscribed_at=self.list.created_at))

    @property
    def emails(self) -> list[str]:
        """The address of everybody, one of them twice, and one that is no address."""
        return [*map(address, PEOPLE), "Twice@EXAMPLE.com", "nobody"]

    @property
    def file(self) -> str:
        """The same as a file."""
        return "EmailAddress\n" + "".join(f"{email}\n" for email in self.emails)

    def message(self) -> Message:
        """A stored message."""
        draft = Draft(subject="News", plain="Hello", from_address="news@example.com")
        return self.product.messages.save(self.account.id, self.list.id, draft)

    def call(self, name: str, more: str = "") -> list[int]:
        """A call of XML over HTTP that is accepted; the number of its process."""
        body = (
            f"<{name}><UserName>api</UserName><Password>secret</Password><ListID>{self.list.id}</ListID>"
            f"<Message><Subject>News</Subject><TextBody>Hello</TextBody></Message>{more}</{name}>"
        )

        async def post() -> httpx.Response:
            transport = httpx.ASGITransport(XmlOverHttp(self.product, LargeCalls(), max_body=100_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.post(f"/xml/{name}", content=body, headers={"Content-Type": "application/xml"})

        answer = asyncio.run(post())
        assert answer.status_code == 200, answer.text
        return [int(ElementTree.fromstring(answer.text).findtext("StatusID") or 0)]

    def work(self) -> None:
        """Send all there is."""
        jobs = self.product.jobs
        worker = Worker(self.database, self.product.blobs, runners(self.product), idle=0.05)
        worker.run(until=lambda: all(job.over for job in jobs.find()))

    def job(self, number: int) -> Job:
        """A job that was done."""
        job = self.product.jobs.get(None, number)
        assert job is not None
        assert (job.state, job.error) == ("completed", "")
        return job

    def fates(self, numbers: Sequence[int]) -> list[tuple[str, str]]:
        """What the ledgers of these sends say: who was mailed, who was skipped and why."""
        found = []
        for number in numbers:
            self.job(number)
            rows = self.product.reports.recipients(self.account.id, job_id=number)
            found += [(row.email.lower().partition("@")[0], row.reason or row.state) for row in rows]
        return sorted(found)

    def forget_mails(self) -> None:
        """What has arrived so far is of no matter."""
        self._before = len(self.sink.lines())

    def arrived(self) -> Counter[str]:
        """Who got how many mails."""
        lines = self.sink.lines()[self._before :]
        return Counter(line["to"].lower().partition("@")[0] for line in lines)


def address(name: str) -> str:
    return f"{name}@example.com"


def numbers(*tickets: SendTicket) -> list[int]:
    return [ticket.job.id for ticket in tickets]


def by_list(place: Place) -> list[int]:
    return numbers(
        place.product.sends.to_list(account=place.account, login=None, contact_list=place.list, message=place.message())
    )


def by_members(place: Place) -> list[int]:
    return numbers(
        place.product.sends.to_members(
            account=place.account, login=None, contact_list=place.list, message=place.message()
        )
    )


def by_file(place: Place) -> list[int]:
    upload = place.product.blobs.new()
    upload.write(place.file.encode())
    upload.close()
    ticket = place.product.sends.to_file(
        account=place.account,
        login=None,
        contact_list=place.list,
        message=place.message(),
        upload=upload,
        file=FileForm(name="people.csv"),
    )
    return numbers(ticket)


def by_groups(place: Place) -> list[int]:
    tickets = place.product.sends.to_groups(
        account=place.account, login=None, groups=[place.list, place.list], message=place.message()
    )
    return numbers(*tickets)


def by_groups_again(place: Place) -> list[int]:
    tickets = place.product.sends.to_groups(
        account=place.account, login=None, groups=[place.list, place.list], message=place.message(), allow_repeat=True
    )
    return numbers(*tickets)


def by_addresses(place: Place) -> list[int]:
    ticket = place.product.sends.to_addresses(
        account=place.account,
        login=None,
        contact_list=place.list,
        message=place.message(),
        emails=place.emails,
        purpose=Purpose.TRANSACTIONAL,
    )
    return numbers(ticket)


def by_tests(place: Place) -> list[int]:
    ticket = place.product.sends.to_addresses(
        account=place.account, login=None, contact_list=place.list, message=place.message(), emails=place.emails
    )
    return numbers(ticket)


def by_people(place: Place) -> list[int]:
    ticket = place.product.sends.to_people(
        account=place.account, login=None, message=place.message(), contact_ids=list(place.numbers.values())
    )
    return numbers(ticket)


def by_failures(place: Place) -> list[int]:
    """All of them were mailed once and could not be reached; since then they have asked for no mail."""
    (first,) = by_addresses(place)
    place.work()
    with place.database.write() as connection:
        of_first = deliveries.c.job_id == first
        reached = deliveries.c.email != "nobody"
        # As a server's refusal for good leaves them.
        connection.execute(update(deliveries).where(of_first, reached).values(state="failed", reason=""))
    place.forget_mails()
    ticket = place.product.sends.to_failed(account=place.account, login=None, job=place.job(first))
    assert ticket is not None
    return numbers(ticket)


def by_letters(place: Place) -> list[int]:
    found = []
    draft = Draft(subject="About your subscription", plain="Hello")
    for name in LETTERS:
        with place.database.write(durable=True) as connection:
            found.append(
                place.product.sends.to_subscriber(
                    connection,
                    account=place.account,
                    contact_list=place.list,
                    draft=draft,
                    email=address(name),
                    fields={},
                    reach=("unsubscribed", "waiting"),
                )
            )
    return found


def by_xml_list(place: Place) -> list[int]:
    return place.call("SendToList")


def by_xml_file(place: Place) -> list[int]:
    return place.call("SendToFile", f"<File Name='people.csv'>{b64encode(place.file.encode()).decode()}</File>")


Way = Callable[[Place], list[int]]

# Of members, those who left or wait are no audience to begin with.
MEMBERS = [
    ("banned", "banned"),
    ("good", "handed"),
    ("suppressed", "suppressed"),
    ("twice", "handed"),
    ("twice", "repeated"),
]
NAMED = [
    ("banned", "banned"),
    ("good", "handed"),
    ("nobody", "malformed"),
    ("suppressed", "suppressed"),
    ("twice", "handed"),
    ("twice", "repeated"),
    ("unsubscribed", "unsubscribed"),
    ("waiting", "waiting"),
]
# Twice the same group: the second send leaves out whom the first one mails.
SECOND = [("banned", "banned"), ("good", "had"), ("suppressed", "suppressed"), ("twice", "had"), ("twice", "repeated")]
GROUPS = sorted([*MEMBERS, *SECOND])
# The ways of sending, what their ledgers say, and who is mailed.
WAYS: list[tuple[Way, list[tuple[str, str]], set[str]]] = [
    (by_xml_list, MEMBERS, {"good", "twice"}),
    (by_xml_file, NAMED, {"good", "twice"}),
    (by_list, MEMBERS, {"good", "twice"}),
    (by_members, MEMBERS, {"good", "twice"}),
    (by_file, NAMED, {"good", "twice"}),
    (
        by_groups,
        GROUPS,
        {"good", "twice"},
    ),
    (
        by_groups_again,
        GROUPS,
        {"good", "twice"},
    ),
    (by_addresses, NAMED, {"good", "twice"}),
    (by_tests, NAMED, {"good", "twice"}),
    (
        # Single people are reached although they have unsubscribed (mm-100), and nobody else who is blocked.
        by_people,
        sorted({*NAMED, ("unsubscribed", "handed")} - {("unsubscribed", "unsubscribed"), ("nobody", "malformed")}),
        {"good", "twice", "unsubscribed"},
    ),
    (by_failures, [each for each in NAMED if each[0] != "nobody"], {"good", "twice"}),
    (
        # Letters that ask for a confirmation reach who left or waits, and no blocked address.
        by_letters,
        [
            ("banned", "banned"),
            ("good", "handed"),
            ("suppressed", "suppressed"),
            ("twice", "handed"),
            ("unsubscribed", "handed"),
            ("waiting", "handed"),
        ],
        {"good", "twice", "unsubscribed", "waiting"},
    ),
]


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    running = Sink(tmp_path_factory.mktemp("sink") / "accepted.jsonl")
    yield running
    running.stop()


@pytest.mark.parametrize(("way", "ledger", "mailed"), WAYS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_blocked_get_nothing(
    database: Database, tmp_path: Path, sink: Sink, way: Way, ledger: list[tuple[str, str]], mailed: set[str]
) -> None:
    place = Place(database, tmp_path / "data", sink)
    place.block()
    sends = way(place)
    place.work()
    assert place.fates(sends) == ledger
    assert place.arrived() == dict.fromkeys(mailed, 1)


def test_no_way_of_sending_is_forgotten() -> None:
    """Each method that makes a send is in the table: a new one must say whom it mails."""
    from soapstone.sending.sends import Sends

    ways = {name for name in vars(Sends) if not name.startswith("_")}
    assert ways == {
        "to_list",
        "to_members",
        "to_file",
        "to_groups",
        "to_people",
        "to_addresses",
        "to_failed",
        "to_subscriber",
    }
