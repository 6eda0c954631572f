"""Single contacts through a stock client: every outcome of every call (lk-49 to lk-65, lk-116, lk-117)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

import httpx
import pytest
import zeep.exceptions

from soapstone.accounts.link_keys import LinkKeys
from soapstone.contacts.contact_tokens import ContactTokens
from soapstone.lists.external_events import ExternalEvents
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import contact_events

Suppress = Callable[[str, str, int], None]
Values = dict[int, str]


def address() -> str:
    return f"{uuid4().hex}@example.com"


class Desk:
    """The calls, short."""

    def __init__(self, listrak: Any, list_id: int) -> None:
        self.listrak, self.list = listrak, list_id

    def contact(self, email: str, values: Values | None = None) -> dict[str, Any]:
        attributes = [{"AttributeID": n, "Value": value} for n, value in (values or {}).items()]
        return {"EmailAddress": email, "ListID": self.list, "ContactProfileAttribute": attributes}

    def set(
        self, email: str, kind: str = "Update", events: str = "", override: bool = False, values: Values | None = None
    ) -> Any:
        return self.listrak.SetContact(self.contact(email, values), kind, events, override)

    def update(self, email: str, kind: str = "Update", events: str = "", values: Values | None = None) -> Any:
        return self.listrak.UpdateContact(self.contact(email, values), kind, events)

    def form(self, email: str, ask: bool = False, welcome: bool = False, values: Values | None = None) -> Any:
        return self.listrak.SubscribeFormPassThrough(self.contact(email, values), "", ask, welcome)

    def subscribe(self, email: str, override: bool = False) -> Any:
        return self.listrak.SubscribeContact(self.list, email, override)

    def unsubscribe(self, email: str) -> Any:
        return self.listrak.UnsubscribeContact(self.list, email)

    def change(self, old: str, new: str) -> Any:
        return self.listrak.ChangeContactEmailAddress(self.list, old, new)

    def get(self, email: str) -> dict[int, str] | None:
        found = self.listrak.GetContact(self.list, email)
        if found is None:
            return None
        return {each["AttributeID"]: each["Value"] for each in found["ContactProfileAttribute"] or []}

    def count(self, *terms: tuple[int, str, str, str]) -> int:
        names = ("AttributeID", "ProfileCompareType", "Value", "JoinType")
        given = {"WSProfileFilter": [dict(zip(names, term, strict=True)) for term in terms]}
        return int(self.listrak.GetFilteredListCount(self.list, given if terms else None))


@pytest.fixture
def desk(listrak: Any) -> Desk:
    return Desk(listrak, listrak.create())


@pytest.fixture
def careful(listrak: Any) -> Desk:
    """A list with double opt-in."""
    return Desk(listrak, listrak.create(EnableDoubleOptin=True))


@pytest.fixture(scope="module")
def records(served: Any) -> Any:
    database = Database(served.product.settings.database)
    yield Product.open(Settings(data_dir=served.data), database)
    database.close()


def test_set_contact(desk: Desk, suppress: Suppress) -> None:
    """lk-50, lk-52, lk-53, lk-54, lk-56, lk-64"""
    colour = desk.listrak.attribute(desk.list, "Colour")
    email = address()
    assert desk.get(email) is None
    assert desk.set(email.upper(), values={colour: "green"}) == "SuccessContactSubscribed"
    assert desk.get(email) == {colour: "green"}
    found = desk.listrak.GetContact(desk.list, email)
    assert (found["EmailAddress"], found["ListID"]) == (email.upper(), desk.list)
    assert desk.set(email, values={colour: "blue"}) == "ContactAlreadySubscribedProfileUpdated"
    assert desk.get(email) == {colour: "blue"}
    assert desk.set(email, "NotDefined", values={colour: "red"}) == "FailedContactAlreadySubscribed"
    assert desk.get(email) == {colour: "blue"}
    assert desk.unsubscribe(email) == "SuccessContactUnSubscribed"
    assert desk.get(email) is None
    assert desk.set(email) == "FailedContactUnSubscribed"
    assert desk.set(email, override=True) == "SuccessContactSubscribed"
    assert desk.get(email) == {colour: "blue"}
    assert desk.set("no address") == "FailedContactInvalidEmailAddress"
    for kind, result in (("suppressed", "FailedContactSuppressed"), ("banned", "FailedContactBanned")):
        suppress(email, kind, desk.list)
        assert desk.set(email, override=True) == result
        assert desk.update(email) == result


def test_forms_of_one_mailbox_are_one_contact(desk: Desk, suppress: Suppress) -> None:
    """lk-50, lk-54, lk-57, lk-60 to lk-62, lk-64"""
    name = uuid4().hex
    first, second, third, fourth = (
        f"{name.upper()}@bücher.example",
        f"{name}@xn--bcher-kva.example",
        f"{name}@BU\u0308CHER.example",
        f"{name}@ｂüｃｈｅｒ．example",
    )
    assert desk.set(first) == "SuccessContactSubscribed"
    assert desk.set(second) == "ContactAlreadySubscribedProfileUpdated"
    assert desk.update(third) == "ContactAlreadySubscribedProfileUpdated"
    for form in (first, second, third, fourth):
        assert desk.listrak.GetContact(desk.list, form)["EmailAddress"] == first
    assert desk.count() == 1
    assert desk.change(second, fourth) == "FailedIdenticalEmailAddress"
    assert desk.unsubscribe(third) == "SuccessContactUnSubscribed"
    assert desk.set(fourth) == "FailedContactUnSubscribed"
    suppress(second, "suppressed", desk.list)
    assert desk.set(first, override=True) == "FailedContactSuppressed"


def test_update_kinds(desk: Desk) -> None:
    """lk-47, lk-55"""
    listrak = desk.listrak
    a, b, c = (listrak.attribute(desk.list, name) for name in "ABC")
    day, box = listrak.attribute(desk.list, "Day", "Date"), listrak.attribute(desk.list, "Box", "CheckBox")
    email = address()
    desk.set(email, values={a: "1", b: "2", day: "2026-03-09", box: "true"})
    assert desk.get(email) == {a: "1", b: "2", day: "03/09/2026", box: "on"}
    desk.set(email, "Append", values={a: "x", c: "3"})
    assert desk.get(email) == {a: "1", b: "2", c: "3", day: "03/09/2026", box: "on"}
    desk.set(email, "Update", values={a: "y", b: "", day: "no day"})
    assert desk.get(email) == {a: "y", b: "2", c: "3", day: "03/09/2026", box: "on"}
    desk.set(email, "Overwrite", values={a: "", b: "z"})
    assert desk.get(email) == {b: "z", c: "3", day: "03/09/2026", box: "on"}
    desk.set(email, "Overwrite", values={0: "a mapping left blank", box: ""})
    assert desk.get(email) == {b: "z", c: "3", day: "03/09/2026", box: "off"}
    desk.set(email, values={box: str(box)})
    assert desk.get(email) == {b: "z", c: "3", day: "03/09/2026", box: "on"}
    with pytest.raises(zeep.exceptions.Fault, match=r"\[NotFound\] Attribute 987654"):
        desk.set(email, values={987654: "x"})


def test_update_contact(desk: Desk) -> None:
    """lk-57: nobody is subscribed by it."""
    email = address()
    assert desk.update(email) == "FailedContactNotSubscribedProfileNotUpdated"
    assert desk.get(email) is None
    assert desk.subscribe(email) == "SuccessContactSubscribed"
    assert desk.update(email) == "ContactAlreadySubscribedProfileUpdated"
    assert desk.update("nobody") == "FailedContactInvalidEmailAddress"
    desk.unsubscribe(email)
    assert desk.update(email) == "FailedContactUnSubscribed"


def test_subscribe_and_unsubscribe(desk: Desk) -> None:
    """lk-58, lk-116"""
    email = address()
    assert desk.unsubscribe(email) == "ContactNotSubscribed"
    assert desk.subscribe(email) == "SuccessContactSubscribed"
    assert desk.subscribe(email) == "FailedContactAlreadySubscribed"
    assert desk.unsubscribe(email) == "SuccessContactUnSubscribed"
    assert desk.unsubscribe(email) == "ContactAlreadyUnSubscribed"
    assert desk.subscribe(email) == "FailedContactUnSubscribed"
    assert desk.subscribe(email, override=True) == "SuccessContactSubscribed"


def test_events_are_raised(desk: Desk, records: Product) -> None:
    """lk-51, lk-56: active events of the list; others are ignored."""
    demo = records.accounts.named("DEMO")
    assert demo is not None
    events = ExternalEvents(records.database)
    bought = events.add(demo.id, desk.list, "Bought")
    blocked = events.add(demo.id, desk.list, "Blocked")
    events.change(demo.id, blocked.id, active=False)
    foreign = events.add(demo.id, 1, "Of another list")
    email = address()
    given = f"{bought.id}, {blocked.id},{foreign.id},x,,987654"
    desk.set(email, events=given)
    desk.set(email, "NotDefined", events=given)
    desk.update(email, events=given)
    query = contact_events.select().where(contact_events.c.kind == "raised", contact_events.c.list_id == desk.list)
    with records.database.read() as connection:
        rows = connection.execute(query).all()
    assert [row.external_event_id for row in rows] == [bought.id] * 3


def test_the_email_key(desk: Desk, records: Product) -> None:
    """lk-62, lk-63"""
    email = address()
    desk.set(email)
    demo, news = records.accounts.named("DEMO"), records.lists.any(desk.list)
    assert demo is not None
    assert news is not None
    person = records.subscriptions().find(demo, news, email)
    assert person is not None
    key = records.contact_tokens.make(person.contact_id)
    found = desk.listrak.GetContactByEmailKey(desk.list, key)
    assert found["EmailAddress"] == email
    for other in (
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        "",
        "ü",
        ContactTokens(LinkKeys.single("another")).make(person.contact_id),
    ):
        assert desk.listrak.GetContactByEmailKey(desk.list, other) is None
    desk.unsubscribe(email)
    assert desk.listrak.GetContactByEmailKey(desk.list, key) is None


def test_change_of_address(desk: Desk, careful: Desk, suppress: Suppress) -> None:
    """lk-61"""
    colour = desk.listrak.attribute(desk.list, "Colour")
    old, new = address(), address()
    assert desk.change(old, new) == "FailedContactEmailAddressNotFound"
    desk.set(old, values={colour: "green"})
    assert desk.change(old, old.upper()) == "FailedIdenticalEmailAddress"
    assert desk.change(old, "no address") == "FailedInvalidNewEmailAddress"
    for kind, result in (("suppressed", "IsSuppressed"), ("banned", "IsBanned")):
        blocked = address()
        suppress(blocked, kind, desk.list)
        assert desk.change(old, blocked) == f"FailedNewEmailAddress{result}"
    there, left = address(), address()
    desk.set(there)
    desk.set(left)
    desk.unsubscribe(left)
    assert desk.change(old, there) == "FailedNewEmailAddressIsAlreadySubscribed"
    assert desk.change(old, left) == "FailedNewEmailAddressIsUnSubscribed"
    assert desk.change(old, new) == "SuccessContactEmailAddressChanged"
    assert desk.get(new) == {colour: "green"}
    assert desk.get(old) is None
    assert desk.unsubscribe(old) == "ContactAlreadyUnSubscribed"
    waiting = address()
    desk.form(waiting, ask=True)
    assert desk.change(new, waiting) == "FailedNewEmailAddressIsPendingConfirmation"


def letter(served: Any, email: str) -> Any:
    """The last mail to an address, once it is there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for path in sorted((served.data / "mail").glob("*.eml"), reverse=True):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            if email in str(mail["To"]):
                return mail
        time.sleep(0.05)
    raise AssertionError(f"no mail to {email}")


def link(mail: Any, served: Any) -> str:
    found = re.search(r"https?://\S+/confirm/\S+", mail.get_body(("plain",)).get_content())
    assert found, mail
    assert found[0].startswith(served.base)
    return found[0]


def test_double_opt_in(careful: Desk, served: Any) -> None:
    """lk-53, lk-60, lk-62, lk-117: from the call to the confirmed contact."""
    email = address()
    assert careful.set(email) == "FailedContactRequiresConfirmation"
    assert careful.set(email) == "FailedContactPendingConfirmation"
    assert careful.update(email) == "FailedContactNotSubscribedProfileNotUpdated"
    assert careful.get(email) is None
    url = link(letter(served, email), served)
    shown = httpx.get(url)
    assert shown.status_code == 200
    assert "<button>" in shown.text
    assert careful.get(email) is None
    assert httpx.post(url).status_code == 200
    assert careful.get(email) == {}
    assert "subscribed" in httpx.post(url).text
    assert careful.set(email) == "ContactAlreadySubscribedProfileUpdated"
    assert httpx.get(url[:-3]).status_code == 404
    careful.unsubscribe(email)
    assert "unsubscribed" in httpx.post(url).text
    assert careful.get(email) is None


def test_who_waits_can_be_unsubscribed(careful: Desk) -> None:
    """lk-116"""
    email = address()
    careful.subscribe(email)
    assert careful.unsubscribe(email) == "SuccessContactUnSubscribed"
    assert careful.subscribe(email) == "FailedContactUnSubscribed"


def test_form(desk: Desk, served: Any, suppress: Suppress) -> None:
    """lk-59, lk-60, lk-117"""
    colour = desk.listrak.attribute(desk.list, "Colour")
    email = address()
    assert desk.form("no address") == "InvalidEmailAddress"
    assert desk.form(email, welcome=True, values={colour: "green"}) == "ContactSubscribed"
    assert "Welcome" in letter(served, email)["Subject"]
    assert desk.form(email, values={colour: "blue"}) == "ContactPreviouslySubscribedProfileUpdated"
    assert desk.get(email) == {colour: "blue"}
    desk.unsubscribe(email)
    assert desk.form(email) == "ContactCurrentlyUnsubscribed"
    assert desk.form(email, ask=True) == "ContactConfirmationRequested"
    assert desk.form(email, ask=True) == "ContactCurrentlyPendingConfirmation"
    end = time.monotonic() + 30
    while "confirm" not in letter(served, email)["Subject"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    httpx.post(link(letter(served, email), served))
    assert desk.get(email) == {colour: "blue"}
    for kind in ("Suppressed", "Banned"):
        suppress(email, kind.lower(), desk.list)
        assert desk.form(email) == f"ContactCurrently{kind}"


def test_filtered_count(desk: Desk) -> None:
    """lk-65"""
    listrak = desk.listrak
    a, box = listrak.attribute(desk.list, "A"), listrak.attribute(desk.list, "Box", "CheckBox")
    day = listrak.attribute(desk.list, "Day", "Date")
    assert desk.count() == 0
    for value, checked, date in (("Red", "on", "01/02/2026"), ("red wine", "off", "12/31/2025"), ("7", "on", "")):
        desk.set(address(), values={a: value, box: checked, day: date})
    gone = address()
    desk.set(gone, values={a: "Red"})
    desk.unsubscribe(gone)
    assert desk.count() == 3
    assert desk.count((a, "EQUALS", "RED", "END")) == 1
    assert desk.count((a, "CONTAINS", "red", "END")) == 2
    assert desk.count((box, "CHECKED", "", "AND"), (a, "CONTAINS", "red", "END")) == 1
    assert desk.count((a, "EQUALS", "7", "OR"), (a, "EQUALS", "Red", "ANDNOT"), (box, "CHECKED", "", "END")) == 0
    assert desk.count((a, "INCOMMALIST", "7, RED", "END"), (a, "EQUALS", "nothing", "END")) == 2
    assert desk.count((a, "ABOVE", "6.5", "END")) == 3
    assert desk.count((day, "BELOW", "2026-01-01", "END")) == 1
    assert desk.count((day, "ISEMPTY", "", "END")) == 1
    with pytest.raises(zeep.exceptions.Fault, match="NotFound"):
        desk.count((987654, "ISEMPTY", "", "END"))
