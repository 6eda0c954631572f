"""Imports respect who asked for no mail, and raise the events that rows name (mm-59, mm-120, lk-71, lk-75)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account
from soapstone.contacts.changes import Changes
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.lists.external_events import ExternalEvents
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import contact_events, contacts, lists, memberships
from soapstone.vocabulary.contacts import MembershipState, OptOutKind

EMAIL = Column(index=0, target="email")
FILE = b"all@example.com,x\nlist@example.com,x\nclubs@example.com,x\nform@example.com,x\nfree@example.com,x\n"


@pytest.fixture
def left(database: Database, account: Account, newsletter: ContactList) -> None:
    """People who asked for no mail at all, none of this list, none of its category; who waits after leaving."""
    with Changes(database).begin(account) as change:
        change.connection.execute(lists.update().values(category_id=7))
        change.add(email="all@example.com", unsubscribed_at=change.moment)
        change.opt_out(change.add(email="list@example.com"), OptOutKind.LIST, newsletter.id)
        change.opt_out(change.add(email="clubs@example.com"), OptOutKind.LIST_CATEGORY, 7)
        back = change.add(email="form@example.com")
        change.join(newsletter.id, back, state=MembershipState.UNCONFIRMED)
        change.opt_out(back, OptOutKind.LIST, newsletter.id)
        change.opt_out(change.add(email="free@example.com"), OptOutKind.MESSAGE_CATEGORY, 7)


def states(database: Database, list_id: int) -> dict[str, str]:
    query = select(contacts.c.email, memberships.c.state).join(memberships, memberships.c.contact_id == contacts.c.id)
    with database.read() as connection:
        return {row.email: row.state for row in connection.execute(query.where(memberships.c.list_id == list_id))}


@pytest.mark.usefixtures("left")
def test_uploads_keep_them_unsubscribed(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job], look: Any
) -> None:
    """mm-59: they come into the group, and stay unsubscribed."""
    columns = (EMAIL, Column(index=1, target="first_name"))
    updating = ImportSpec(columns=columns, known="overwrite")
    keeping = ImportSpec(columns=columns, known="keep")
    for spec, outcome in ((updating, "still_unsubscribed_updated"), (keeping, "still_unsubscribed")):
        job = run_file(account, newsletter, FILE, spec)
        assert job.counters[outcome] == 4, job.counters
        assert states(database, newsletter.id) == {
            "all@example.com": "unsubscribed",
            "list@example.com": "unsubscribed",
            "clubs@example.com": "unsubscribed",
            "form@example.com": "waiting",
            "free@example.com": "subscribed",
        }
    look(account.id)
    found = Lists(database).get(account.id, newsletter.id)
    assert found is not None
    assert (found.members, found.subscribed) == (5, 1)


@pytest.mark.usefixtures("left")
def test_imports_pass_them_over(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job], look: Any
) -> None:
    """lk-75"""
    spec = ImportSpec(columns=(EMAIL,), blocked="skip", identified_by="email")
    job = run_file(account, newsletter, FILE, spec)
    assert (job.counters["previously_unsubscribed"], job.counters["joined"]) == (4, 1), job.counters
    assert states(database, newsletter.id) == {"form@example.com": "waiting", "free@example.com": "subscribed"}
    look(account.id)


def test_replacing_members_forgets_no_unsubscribe(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job]
) -> None:
    """mm-59, mm-60: a file that mirrors another source may leave a person out and bring it along later."""
    with Changes(database).begin(account) as change:
        for name, state in (("gone", "unsubscribed"), ("twice", "unsubscribed"), ("here", "subscribed")):
            contact_id = change.add(email=f"{name}@example.com")
            change.join(
                newsletter.id,
                contact_id,
                state=MembershipState.UNSUBSCRIBED
                if state == MembershipState.UNSUBSCRIBED
                else MembershipState.SUBSCRIBED,
            )
            if name == "twice":
                change.opt_out(contact_id, OptOutKind.LIST, newsletter.id)
    mirror = ImportSpec(columns=(EMAIL,), replace=True)
    run_file(account, newsletter, b"new@example.com\n", mirror)
    assert states(database, newsletter.id) == {"new@example.com": "subscribed"}
    run_file(account, newsletter, b"gone@example.com\ntwice@example.com\nhere@example.com\n", mirror)
    assert states(database, newsletter.id) == {
        "gone@example.com": "unsubscribed",
        "twice@example.com": "unsubscribed",
        "here@example.com": "subscribed",
    }


def events(database: Database) -> list[tuple[str, str, int | None]]:
    event = contact_events.c
    query = select(event.kind, contacts.c.email, event.external_event_id).join(contacts)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query.where(event.by == "Import").order_by(event.id))]


def test_removals_leave_events(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job]
) -> None:
    add = ImportSpec(columns=(EMAIL,))
    run_file(account, newsletter, b"ann@example.com\nbob@example.com\n", add)
    assert events(database) == []
    run_file(account, newsletter, b"bob@example.com\neve@example.com\n", ImportSpec(columns=(EMAIL,), action="remove"))
    assert events(database) == [("unsubscribed", "bob@example.com", None)]


@pytest.mark.parametrize("chunk_rows", [1, 5000])
def test_events_are_raised(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job], chunk_rows: int
) -> None:
    """lk-51, lk-71, lk-120: for who is subscribed after the row; unknown and blocked ones are ignored."""
    known = ExternalEvents(database)
    one, two, blocked = (known.add(account.id, newsletter.id, name).id for name in ("One", "Two", "Blocked"))
    known.change(account.id, blocked, active=False)
    with Changes(database).begin(account) as change:
        change.join(newsletter.id, change.add(email="gone@example.com"), state=MembershipState.UNSUBSCRIBED)
        change.join(newsletter.id, change.add(email="here@example.com"))
    data = (
        f'gone@example.com,{one}\nhere@example.com,"{two}, {one},{blocked},x"\n'
        f"new@example.com,\nbad,{one}\nother@example.com,0\n"
    )
    spec = ImportSpec(
        columns=(EMAIL,), blocked="skip", identified_by="email", triggers=True, event_column=1, event_default=str(two)
    )
    run_file(account, newsletter, data.encode(), spec, chunk_rows=chunk_rows)
    assert events(database) == [
        ("raised", "here@example.com", one),
        ("raised", "here@example.com", two),
        ("raised", "new@example.com", two),
    ]


def test_numbers_of_no_event_do_no_harm(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job]
) -> None:
    """lk-51: more of them in one chunk than a statement takes values."""
    rows = "".join(f'p{n}@example.com,"{",".join(str(n * 40 + k) for k in range(1, 41))}"\n' for n in range(2000))
    spec = ImportSpec(columns=(EMAIL,), triggers=True, event_column=1)
    job = run_file(account, newsletter, rows.encode(), spec)
    assert (job.state, job.counters) == ("completed", {"added": 2000})
    assert events(database) == []


FORMS = ("Ann@bücher.example", "ann@xn--bcher-kva.example", "ANN@BU\u0308CHER.example", "ann@ｂüｃｈｅｒ．example")


@pytest.fixture
def doubles(database: Database, account: Account) -> list[int]:
    """Two contacts of one mailbox, as an upgrade may find them."""
    with Changes(database).begin(account) as change:
        oldest = change.add(email=FORMS[0])
        values = {"email": FORMS[1], "email_key": FORMS[1], "double_of": oldest, "account_id": account.id}
        times = {"created_at": change.moment, "updated_at": change.moment}
        change.connection.execute(contacts.insert().values(**values, **times))
        return [oldest, oldest + 1]


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("form", FORMS)
def test_who_left_as_one_contact_of_a_mailbox_does_not_come_back_as_another(
    database: Database,
    account: Account,
    newsletter: ContactList,
    run_file: Callable[..., Job],
    doubles: list[int],
    who: int,
    form: str,
) -> None:
    """lk-64, lk-75, mm-59"""
    with Changes(database).begin(account) as change:
        change.opt_out(doubles[who], OptOutKind.LIST, newsletter.id)
    job = run_file(account, newsletter, f"{form}\nbob@example.com\n".encode(), ImportSpec(columns=(EMAIL,)))
    assert job.counters == {"still_unsubscribed": 1, "added": 1}
    assert states(database, newsletter.id) == {FORMS[0]: "unsubscribed", "bob@example.com": "subscribed"}


def test_a_file_takes_the_contact_of_a_mailbox_that_is_on_the_list(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job], doubles: list[int]
) -> None:
    """lk-64, lk-76: also when it is not the oldest."""
    with Changes(database).begin(account) as change:
        change.join(newsletter.id, doubles[1])
    job = run_file(account, newsletter, FORMS[2].encode(), ImportSpec(columns=(EMAIL,)))
    assert job.counters == {"unchanged": 1}
    job = run_file(account, newsletter, FORMS[2].encode(), ImportSpec(columns=(EMAIL,), action="remove"))
    assert job.counters == {"removed": 1}
    assert states(database, newsletter.id) == {FORMS[1]: "unsubscribed"}
