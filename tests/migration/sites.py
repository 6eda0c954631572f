"""An account of a server: what it is filled with, how it is moved, and what its read operations answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from soapstone.accounts.account import Account, Login
from soapstone.clock import clock
from soapstone.imports.spec import Column, ImportSpec
from soapstone.listrak import operations as lk
from soapstone.listrak.call import Call
from soapstone.listrak.service import HANDLERS
from soapstone.listrak.types import WSUser
from soapstone.lists.profiles import AttributeDraft
from soapstone.migration.journal import Journal
from soapstone.migration.listrak import ListrakMove
from soapstone.migration.source import Pace, Source
from soapstone.product import Product
from soapstone.sending.messages.message import Draft, Traits
from soapstone.vocabulary.messages import MessageKind
from soapstone.wire.types import Struct

BEGAN = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)
PASSWORD = "a password for tests"
LISTS = (4711, None)
SUBSCRIBERS, LEAVERS = 20, 5


@dataclass(frozen=True)
class Site:
    """An account with a login, and where it is served."""

    product: Product
    account: Account
    login: Login
    base: str = ""

    @classmethod
    def of(cls, product: Product, name: str, base: str = "") -> Site:
        """Return the site of an account that is there."""
        account = product.accounts.named(name)
        assert account is not None
        return cls(product, account, product.accounts.logins(account)[0][0], base)

    def ask(self, operation: type[Struct], **members: Any) -> Any:
        """Let the Listrak handler of an operation answer."""
        handler = HANDLERS.get(operation.__name__)
        assert handler is not None
        answer = handler(Call(self.product, self.account, self.login), operation(**members))
        told = getattr(answer, f"{operation.__name__}Result", answer)
        return told or []


class Silence:
    """Shows no progress; calls `at` with the name of the step, when it begins and with each page of it."""

    def __init__(self, at: Callable[[str], None] | None = None) -> None:
        self._at = at or (lambda _: None)
        self._name = ""

    def step(self, name: str, total: int | None) -> None:
        self._name = name
        self._at(name)

    def advance(self, rows: int) -> None:
        self._at(self._name)


def new_site(product: Product, name: str, identifier: str = "email") -> Site:
    """Make an account."""
    account = product.accounts.create(name, time_zone="America/New_York", identifier=identifier)
    login = product.accounts.add_login(account, name.lower(), PASSWORD)
    return Site(product, account, login)


def move_listrak(there: Site, here: Site, *, at: Callable[[str], None] | None = None, **options: Any) -> Journal:
    """Run a migration, or go on with one; return its journal, closed."""
    header = WSUser(UserName=there.login.name, Password=PASSWORD)
    source = Source(f"{there.base}{lk.CONTRACT.path}", lk.CONTRACT, lambda: header, Pace())
    with Journal(here.product.settings.data_dir / "migrations" / "1.sqlite") as journal:
        move = ListrakMove(here.product, here.account, source, journal, Silence(at), here.account.zone)
        for name, value in options.items():
            setattr(move, name, value)
        if at is not None:
            # Between what the records hold and what the journal holds: the worst moment.
            save = move.save

            def watched(*position: Any, **numbers: Any) -> None:
                at("save")
                save(*position, **numbers)

            move.save = watched  # type: ignore[method-assign]
        try:
            journal.begin(again=False)
            move.run()
        finally:
            source.stop()
    return journal


def fill_listrak(site: Site) -> None:
    """Fill an account by the product's services, with dates, numbers and states of all kinds."""
    product, account, chance = site.product, site.account, random.Random(7)
    for place, number in enumerate(LISTS):
        settings = {"from_name": f"Ann {place}", "from_address": "ann@example.com", "bounce_handling": place}
        settings |= {"bounce_limit": 3, "pool": 1, "removal_link": bool(place), "tracking_domains": ["a.example"]}
        with clock(lambda place=place: BEGAN + timedelta(days=place)):
            made = product.lists.create(account.id, f"List {place}", settings=settings, number=number)
        drafts = [
            AttributeDraft(name="Size", kind="numeric"),
            AttributeDraft(name="Club", kind="check_box", number=88 + place),
        ]
        product.profiles.add_header(account.id, made.id, "Person", attributes=drafts, number=700 + place)
        product.profiles.add_header(account.id, made.id, "More", attributes=[AttributeDraft(name="Born", kind="date")])
        product.campaigns.add(account.id, made.id, "Spring", number=55 + place)
        product.campaigns.add(account.id, made.id, "Spring")
        for kind in (MessageKind.SAVED, MessageKind.TRANSACTIONAL):
            with clock(lambda: BEGAN + timedelta(days=5)):
                draft = Draft(subject="Hello", plain="Hello")
                kept = product.messages.save(account.id, made.id, draft, kind=kind, traits=Traits(name=f"{kind} one"))
            with clock(lambda: BEGAN + timedelta(days=6)):
                product.messages.edit(account.id, kept.id, draft)
        _people(site, made.id, chance)
        _history(site, made.id)


def _people(site: Site, list_id: int, chance: random.Random) -> None:
    product, account = site.product, site.account
    found = product.lists.get(account.id, list_id)
    assert found is not None
    attributes = {each.name: each.id for each in product.profiles.attributes(list_id)}
    subscriptions = product.subscriptions()
    for number in range(SUBSCRIBERS + LEAVERS):
        email = f"Person{number}@list{list_id if number % 3 else 0}.example"
        values = {attributes["Size"]: f"{number}.5", attributes["Club"]: chance.choice(["on", "off", ""])}
        if number % 4:
            values[attributes["Born"]] = "02/29/2000"
        with clock(lambda number=number: BEGAN + timedelta(hours=7 * number, microseconds=5)):
            subscriptions.set(account, found, email, values, update="overwrite")
        if number >= SUBSCRIBERS:
            with clock(lambda number=number: BEGAN + timedelta(days=100, hours=5 * number)):
                subscriptions.unsubscribe(account, found, email)


def _history(site: Site, list_id: int) -> None:
    product, account = site.product, site.account
    product.suppressions.add(account.id, f"banned{list_id}@list.example", kind="banned")
    product.suppressions.add(account.id, f"quiet{list_id}@list.example")
    upload = product.blobs.new()
    upload.write(f"new{list_id}@list.example\nbanned{list_id}@list.example\nquiet{list_id}@list.example\nno\n".encode())
    upload.close()
    spec = ImportSpec(columns=(Column(index=0, target="email"),), known="update", blocked="skip", source="API")
    found = product.lists.get(account.id, list_id)
    product.imports.submit(
        account=account, login=site.login, contact_list=found, upload=upload, spec=spec, label="people.csv"
    )


def listrak_answers(site: Site, lists: list[int] | None = None) -> dict[str, Any]:
    """Return what the read operations answer about an account, with people by address in place of order."""
    told: dict[str, Any] = {"GetContactListCollection": site.ask(lk.GetContactListCollection)}
    for each in told["GetContactListCollection"]:
        number = each.ListID
        for operation in (lk.GetSavedMessageCollection, lk.GetTransactionalMessageCollection, lk.GetCampaignCollection):
            told[f"{operation.__name__} {number}"] = site.ask(operation, ListID=number)
        told[f"GetProfileHeaderCollection {number}"] = site.ask(lk.GetProfileHeaderCollection, ListID=number)
        told[f"GetFilteredListCount {number}"] = site.ask(lk.GetFilteredListCount, ListID=number, ProfileFilter=None)
        told[f"ReportListImportHistory {number}"] = site.ask(lk.ReportListImportHistory, ListID=number, Page=1)
        for report in (lk.ReportSubscribedContacts, lk.ReportListContactRemoval):
            rows = site.ask(report, ListID=number, Page=1)
            told[f"{report.__name__} {number}"] = sorted(rows, key=lambda row: cast(str, row.EmailAddress))
        for row in told[f"ReportSubscribedContacts {number}"]:
            answer = site.ask(lk.GetContact, ListID=number, ContactEmailAddress=row.EmailAddress)
            told[f"GetContact {number} {row.EmailAddress}"] = answer
    return told
