"""An account of a server: what it is filled with, how it is moved, and what its read operations answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from soapstone.accounts.account import Account, Login
from soapstone.accounts.logon import Identity
from soapstone.clock import clock
from soapstone.contacts.changes import Cause, Changes
from soapstone.contacts.complaints import complain
from soapstone.imports.spec import Column, ImportSpec
from soapstone.listrak import operations as lk
from soapstone.listrak.call import Call
from soapstone.listrak.service import HANDLERS
from soapstone.listrak.types import WSUser
from soapstone.lists.profiles import AttributeDraft
from soapstone.magnetmail import operations as mm
from soapstone.magnetmail import types as mmt
from soapstone.magnetmail.call import Call as MagnetMailCall
from soapstone.magnetmail.service import HANDLERS as MAGNETMAIL_HANDLERS
from soapstone.migration.journal import Journal
from soapstone.migration.listrak import ListrakMove
from soapstone.migration.magnetmail import MagnetMailMove
from soapstone.migration.magnetmail_account import Session
from soapstone.migration.move import Move
from soapstone.migration.source import Pace, Source
from soapstone.product import Product
from soapstone.sending.messages.message import Draft, Traits
from soapstone.vocabulary.messages import MessageKind
from soapstone.wire.types import Struct

BEGAN = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)
PASSWORD = "a password for tests"
LISTS = (4711, None)
SUBSCRIBERS, LEAVERS = 20, 5


def clock_at(moment: datetime) -> AbstractContextManager[None]:
    """Let the clock show this moment."""
    return clock(lambda: moment)


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

    def call(self, operation: type[Struct], **members: Any) -> Any:
        """Let the MagnetMail handler of an operation answer."""
        account = self.product.accounts.named(self.account.name)
        assert account is not None
        call = MagnetMailCall(self.product, Identity(account, self.login), account)
        return MAGNETMAIL_HANDLERS.all()[operation.__name__](call, operation(**members))

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
    return _moved(ListrakMove, source, here, at, options)


def move_magnetmail(there: Site, here: Site, *, at: Callable[[str], None] | None = None) -> Journal:
    """Do the same from the other contract."""
    session = Session(there.login.name, PASSWORD)
    source = Source(f"{there.base}{mm.CONTRACT.path}", mm.CONTRACT, session.header, Pace())
    return _moved(MagnetMailMove, source, here, at, {"session": session})


def _moved(
    kind: type[Move], source: Source, here: Site, at: Callable[[str], None] | None, options: dict[str, Any]
) -> Journal:
    account = here.product.accounts.named(here.account.name)
    assert account is not None
    with Journal(here.product.settings.data_dir / "migrations" / "1.sqlite") as journal:
        move = kind(here.product, account, source, journal, Silence(at), account.zone, **options)
        if at is not None:
            # Between what the records hold and what the journal holds: the worst moment.
            save = move.save

            def watched(*position: Any, **numbers: Any) -> None:
                at("save")
                save(*position, **numbers)

            move.save = watched  # type: ignore[method-assign]
        try:
            journal.begin("", again=False)
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
        with clock_at(BEGAN + timedelta(days=place)):
            made = product.lists.create(account.id, f"List {place}", settings=settings, number=number)
        drafts = [
            AttributeDraft(name="Size", kind="numeric"),
            AttributeDraft(name="Club", kind="check_box", number=88 + place),
        ]
        product.profiles.add_header(account.id, made.id, "Person", attributes=drafts, number=700 + place)
        product.profiles.add_header(account.id, made.id, "More", attributes=[AttributeDraft(name="Born", kind="date")])
        product.campaigns.add(account.id, made.id, "Spring", number=55 + place)
        product.campaigns.add(account.id, made.id, "Spring")
        event = product.external_events.add(account.id, made.id, "Bought", number=33 + place)
        with clock_at(BEGAN + timedelta(days=4)):
            product.external_events.change(account.id, event.id, active=bool(place))
        for kind in (MessageKind.SAVED, MessageKind.TRANSACTIONAL):
            with clock_at(BEGAN + timedelta(days=5)):
                draft = Draft(subject="Hello", plain="Hello")
                kept = product.messages.save(account.id, made.id, draft, kind=kind, traits=Traits(name=f"{kind} one"))
            with clock_at(BEGAN + timedelta(days=6)):
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
        with clock_at(BEGAN + timedelta(hours=7 * number, microseconds=5)):
            subscriptions.set(account, found, email, values, update="overwrite")
        if number >= SUBSCRIBERS:
            with clock_at(BEGAN + timedelta(days=100, hours=5 * number)):
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
    person = product.contacts.find(account, email=f"Person1@list{list_id}.example")
    moment = BEGAN + timedelta(days=90)
    with clock_at(moment), Changes(product.database).begin(account, by="Feedback Loop") as change:
        assert person is not None
        complain(change, person, list_id, cause=Cause(), provider="Example")
    product.imports.submit(
        account=account, login=site.login, contact_list=found, upload=upload, spec=spec, label="people.csv"
    )


def listrak_answers(site: Site, lists: list[int] | None = None) -> dict[str, Any]:
    """Return what the read operations answer about an account, with people by address in place of order."""
    told: dict[str, Any] = {"GetContactListCollection": site.ask(lk.GetContactListCollection)}
    everything: dict[str, Any] = dict.fromkeys(("StartDate", "EndDate"), datetime(1, 1, 1))
    told["ReportAdminContactFeedbackLoop"] = site.ask(lk.ReportAdminContactFeedbackLoop, Page=1, **everything)
    for each in told["GetContactListCollection"]:
        number = each.ListID
        for operation in (
            lk.GetSavedMessageCollection,
            lk.GetTransactionalMessageCollection,
            lk.GetCampaignCollection,
            lk.ConductorGetExternalEvents,
        ):
            told[f"{operation.__name__} {number}"] = site.ask(operation, ListID=number)
        told[f"GetProfileHeaderCollection {number}"] = site.ask(lk.GetProfileHeaderCollection, ListID=number)
        told[f"GetFilteredListCount {number}"] = site.ask(lk.GetFilteredListCount, ListID=number, ProfileFilter=None)
        told[f"GetContactList {number}"] = site.ask(lk.GetContactList, ListID=number)
        told[f"ReportListImportHistory {number}"] = site.ask(lk.ReportListImportHistory, ListID=number, Page=1)
        for report in (lk.ReportSubscribedContacts, lk.ReportListContactRemoval):
            rows = site.ask(report, ListID=number, Page=1)
            told[f"{report.__name__} {number}"] = sorted(rows, key=lambda row: cast(str, row.EmailAddress))
        for row in told[f"ReportSubscribedContacts {number}"]:
            answer = site.ask(lk.GetContact, ListID=number, ContactEmailAddress=row.EmailAddress)
            told[f"GetContact {number} {row.EmailAddress}"] = answer
    return told


def fill_magnetmail(site: Site) -> None:
    """Fill an account by the product's services, with unsubscribes of every kind and shut channels."""
    product = site.product
    account = product.accounts.change(
        site.account, unsubscribe_type="lists", field_labels={"custom1": "Shoe size", "zip": "Postcode"}
    )
    with clock_at(BEGAN):
        of_lists, of_messages = product.list_categories, product.message_categories
        active = of_lists.add(account.id, "Clubs", number=31)
        of_lists.change(account.id, of_lists.add(account.id, "Old").id, active=False)
        message_category = of_messages.add(account.id, "News", number=41)
        of_messages.add(account.id, "Other")
    groups = []
    for place, number in enumerate((500, None, 510)):
        with clock_at(BEGAN + timedelta(days=place)):
            made = product.lists.create(
                account.id, f"Group {place}", number=number, category_id=active.id if place else None
            )
            groups.append(made.id)
    with clock_at(BEGAN + timedelta(days=9)):
        product.lists.change(account.id, groups[1], visible=False, on_subscription_page=True)
    for place, name in enumerate(("Plain", "Two blocks", "Old")):
        with clock_at(BEGAN + timedelta(days=10 + place)):
            details: dict[str, Any] = {
                "message_name": name,
                "SubjectLine": f"About {name}",
                "FromAddress": "Ann <ann@example.com>",
                "html_version_block1": "<p>One</p>",
                "html_version_block2": "<p>Two</p>" if place else None,
                "text_version": "One",
                "message_category": message_category.id if place else None,
                "characterSet": list(mmt.CharacterSet)[place % 2],
            }
            answer = site.call(mm.createMagnetMailMessage, message=mmt.MessageDetails(**details))
            assert answer.error == 0
            message = int(answer.message_id)
    product.messages.mark(account.id, message, archived=True, hidden=True)
    people = []
    for number in range(40):
        moment = BEGAN + timedelta(days=20, hours=3 * number, microseconds=7)
        fields: dict[str, Any] = {"email": f"Member{number}@mm.example", "custom_id": f"c{number}"}
        fields |= {"first_name": f"Ann {number}", "custom1": str(number % 9), "text_only": number % 2 == 0}
        joined = [group for place, group in enumerate(groups) if number % (place + 2) == 0]
        with clock_at(moment):
            people.append(product.contacts.add(account, fields, joined))
    unsubscribe = product.unsubscribes.add
    for place, kind in enumerate(("lists", "message_categories", "list_categories", "all")):
        account = product.accounts.change(account, unsubscribe_type=kind)
        cause = {
            "message_categories": Cause(message_category_id=message_category.id, message_id=message),
            "list_categories": Cause(list_category_id=active.id),
        }.get(kind, Cause())
        for number in range(place, 40, 13):
            with clock_at(BEGAN + timedelta(days=60 + place, minutes=number)):
                assert unsubscribe(account, people[number], list_id=groups[0], cause=cause) is not None
    account = product.accounts.change(account, unsubscribe_type="lists")
    # Somebody came back, and somebody left a group.
    product.contacts.change_groups(account, people[26], [groups[0]], [], cause=Cause())
    product.contacts.change_groups(account, people[6], [], [groups[1]], cause=Cause(message_id=message))
    for channels, number in ((("email",), 30), (("fax", "sms"), 31), (("email", "fax"), 32)):
        with clock_at(BEGAN + timedelta(days=70, minutes=number)):
            product.channels.shut(account, [{"email": f"member{number}@mm.example"}], "email", channels)
    moment = BEGAN + timedelta(days=80)
    with clock_at(moment), Changes(product.database).begin(account, by="Feedback Loop") as change:
        complain(change, people[34], groups[0], cause=Cause(message_id=message), provider="Example")
    product.mappings.add(
        account.id, object_type="Committee", identifier="C1", own_type="group", own_id=groups[0], own_name="Group 0"
    )


# Members that are left out are nil, which the declarations of types do not say to mypy.
_types: Any = mmt


def magnetmail_answers(site: Site) -> dict[str, Any]:
    """Return what the read operations answer about an account, with people by address in place of numbers."""
    everything: dict[str, Any] = dict.fromkeys(("fromDate", "toDate"), datetime(1, 1, 1))
    told: dict[str, Any] = {
        "user": site.call(mm.getUserDetails),
        "fields": site.call(mm.getRecipientFields),
        "groups": site.call(mm.getGroupsUTC, display_status=2, subscription_groups=2),
        "group categories": site.call(mm.GetAllGroupCategories),
        "message categories": site.call(mm.GetMessageCategory, messageCategoryId=""),
        "unsubscribes": site.call(mm.getUnsubscribes, **everything),
        "complaints": site.call(mm.getSpamComplaints, **everything),
        "mappings": site.call(
            mm.SearchPersonifySubscriptionMappings,
            criteria=mmt.PersonifySubscriptionMappingSearchCriteria(ObjectInPersonify=None),
        ).data,
    }
    suppressed = site.call(
        mm.getSuppressedRecipientList, group_id=None, start_date=datetime(1, 1, 1), end_date=datetime(1, 1, 1)
    )
    told["suppressed"] = sorted(suppressed, key=lambda row: str(row.recipient.email))
    found = site.call(
        mm.searchForRecipients, criteria=_types.RecipientSearchCriteria(pageNo=1, pageSize=2000)
    ).recipients
    names = {each.id: each.email for each in found}
    told["recipients"] = sorted(found, key=lambda row: str(row.email))
    criteria = _types.UnsubscribeSearchCriteria(PageNo=1, PageSize=2000)
    rows = site.call(mm.GetUnsubscribeTracking, criteria=criteria).data
    told["tracking"] = sorted(
        (names[str(row.RecipientId)], row.Date, row.GroupId, row.GroupCategoryId, row.MessageCategoryId, row.MessageId)
        for row in rows
    )
    for each in told["recipients"]:
        told[f"groups of {each.email}"] = [row.Id for row in site.call(mm.getRecipientGroups, recipient=each)]
    for each in told["groups"]:
        number = each.group_id
        told[f"details of {number}"] = site.call(mm.getGroupDetails, groupId=number)
        members = site.call(mm.getGroupRecipients, groupId=number, pageNumber=1, pageCount=0).recipients
        told[f"members of {number}"] = sorted((row.EmailId, row.CustomMemberId) for row in members)
        arrivals = site.call(mm.getSubscribedRecipients, group_ids=[number], report_type="add")
        told[f"arrivals in {number}"] = sorted((row.recipient.email, row.add_update_date) for row in arrivals)
    both = dict.fromkeys(("archived", "hidden", "hasFax", "hasEmail"), mmt.bool_special.all)
    told["messages"] = site.call(mm.getMessageListUtc, **both)
    told["messages in use"] = site.call(mm.getMessageListUtc, hasEmail=mmt.bool_special.all)
    for each in told["messages"]:
        told[f"message {each.message_id}"] = site.call(mm.GetMessageDetails, MessageId=each.message_id)
    return told
