"""How the database looks for people: by an index where there is one, and never beyond the account or the list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, update
from tests.postgresql import Databases

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.contacts.changes import Changes
from soapstone.contacts.contacts import Contacts
from soapstone.contacts.duplicates import Duplicates
from soapstone.contacts.mailboxes import sharing
from soapstone.contacts.members import Members
from soapstone.contacts.search import Example, Search, Walk
from soapstone.contacts.transfers import Departure, Place, Told, Transfers
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import Lists
from soapstone.sending.audience import Audience, Rules
from soapstone.sending.messages.message import Draft
from soapstone.sending.messages.messages import Messages
from soapstone.sending.past_sends import PastMail, PastSends
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.tables import contacts
from soapstone.vocabulary.contacts import ContactEventKind, MembershipState


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Any:
    import shutil

    path = tmp_path / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def postgresql(postgresql_databases: Databases) -> Iterator[Database]:
    with postgresql_databases.fresh() as url:
        opened = Database(url)
        yield opened
        opened.close()


@pytest.fixture
def new_postgresql(postgresql_databases: Databases) -> Iterator[Database]:
    """A database that no test has used: what others deleted from its tables makes their indexes cost more."""
    with postgresql_databases.bare() as url:
        opened = Database(url)
        schema.upgrade(opened)
        yield opened
        opened.close()


@pytest.mark.parametrize(
    ("identifier", "values", "index"),
    [
        ("email", {"email": "ann@example.com"}, "(account_id=? AND unique_email=?)"),
        ("email", {"email": "ann*"}, "(account_id=? AND unique_email>? AND unique_email<?)"),
        ("custom_id", {"email": "ann@example.com"}, "(account_id=? AND email_key=?)"),
        ("custom_id", {"email": "ann*"}, "(account_id=? AND email_key>? AND email_key<?)"),
        ("email", {"custom_id": "C1"}, "(account_id=? AND custom_id=?)"),
        ("custom_id", {"custom_id": "C1*"}, "(account_id=? AND custom_id>? AND custom_id<?)"),
        ("email", {"last_name": "Lee"}, "ix_contact_account_id_id (account_id=?"),
        ("email", {}, "ix_contact_account_id_id (account_id=?"),
    ],
)
def test_searches(database: Database, identifier: str, values: dict[str, str], index: str) -> None:
    account = Accounts(database).create("ACME", time_zone="UTC", identifier=identifier)
    search = Search(database)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith("SELECT contact."):
            asked.append((statement, parameters))

    search.page(account, Example(values=values), limit=100)
    event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1]).all()
    plan = " / ".join(row[3] for row in rows)
    assert index in plan
    assert "SCAN contact" not in plan


@pytest.mark.parametrize(
    ("identifier", "values", "index", "bound"),
    [
        ("email", {"email": "p123*"}, "uq_contact_account_id_unique_email", "unique_email >= 'p123'"),
        ("email", {"email": "p123@example.com"}, "uq_contact_account_id_unique_email", "unique_email = 'p123@"),
        ("custom_id", {"email": "p123*"}, "ix_contact_account_id_email_key", "email_key >= 'p123'"),
        ("email", {"custom_id": "c-12*"}, "ix_contact_account_id_custom_id", "custom_id >= 'c-12'"),
        ("custom_id", {"custom_id": "c-12"}, "ix_contact_account_id_custom_id", "custom_id = ANY"),
    ],
)
def test_searches_on_postgresql(
    postgresql: Database, identifier: str, values: dict[str, str], index: str, bound: str
) -> None:
    """Beginnings, too, are found by the index of what they are beginnings of."""
    with postgresql.engine.connect() as connection, connection.begin() as transaction:
        columns = "time_zone, identifier, created_at, name"
        made = f"INSERT INTO account ({columns}) VALUES ('UTC', '{identifier}', 0, 'PLANS') RETURNING id"
        number = connection.exec_driver_sql(made).scalar_one()
        unique = "email" if identifier == "email" else "NULL"
        connection.exec_driver_sql(
            "INSERT INTO contact (account_id, email, email_key, unique_email, custom_id, created_at, updated_at)"
            f" SELECT {number}, email, email, {unique}, 'c-' || n, 0, 0"
            " FROM (SELECT n, 'p' || n || '@example.com' AS email FROM generate_series(1, 5000) AS n) AS people"
        )
        connection.exec_driver_sql("ANALYZE contact")
        account = Account(
            id=number,
            name="PLANS",
            parent_id=None,
            parent_name=None,
            identifier=identifier,
            time_zone="UTC",
            unsubscribe_type="all",
            tracking="full",
            field_labels={},
        )
        query = Search(postgresql).query(account, Example(values=values))
        text = str(query.compile(postgresql.engine, compile_kwargs={"literal_binds": True}))
        plan = " / ".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}"))
        transaction.rollback()
    assert index in plan
    assert bound in plan


def look_up_recipients(database: Database, account: Account, list_id: int, numbers: list[int]) -> None:
    """Look up people of sends, and of mails that another service has sent; then merge duplicates."""
    with database.write() as connection:
        last = contacts.c.id == numbers[-1]
        connection.execute(update(contacts).where(last).values(double_of=numbers[0], unique_email=None))
        assert sharing(connection, account.id, [numbers[0]]) == {numbers[0]: [numbers[0], numbers[-1]]}
    emails = ["ann@example.com", "c1@example.com", "nobody@example.com"]
    for of_list in (list_id, None):
        job: Any = SimpleNamespace(id=1, account_id=account.id, list_id=of_list)
        audience = Audience(database, job, 1, Rules())
        assert any(each.contact_id for each in audience.addresses(emails, {}))
        audience.judge(audience.people(numbers))
        audience.failures(1, 0, 10)
    message = Messages(database).save(account.id, list_id, Draft(subject="Hello", plain="Hello"))
    past = PastSends(database, Jobs(database))
    past.mails(past.begin(account, message.id, list_id, now()), [PastMail(each, now()) for each in emails])
    assert len(list(Duplicates(database).merge(account))) == 1


@pytest.mark.parametrize("identifier", ["email", "custom_id"])
def test_nothing_is_looked_through_from_end_to_end(database: Database, identifier: str) -> None:
    """All that is asked about people while they are read, changed one by one, and taken over from another service."""
    account = Accounts(database).create("ACME", time_zone="UTC", identifier=identifier)
    made = Lists(database).create(account.id, "News")
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, parameters))

    recipients = Contacts(database)
    ann = {"email": "ann@example.com", "custom_id": "C1"}
    number = recipients.add(account, ann, [made.id])
    recipients.edit(account, number, {**ann, "city": "Rome"})
    recipients.get(account.id, number)
    recipients.lists_of(account.id, number)
    Members(database).page(made.id, state="subscribed", after=5)
    Members(database).removed(made.id, after=(now(), 5))
    Unsubscribes(database).add(account, number)
    Unsubscribes(database).page(account.id, "unsubscribed", after=(now(), 5))
    with Changes(database).begin(account) as change:
        change.find("ann@example.com", made.id)
        change.opted_out(number, made.id)
        change.clear_opt_outs(number, made.id)
        change.move(made.id, number, MembershipState.SUBSCRIBED)
        change.leave(made.id, number)
    with Transfers(database).begin(account) as transfer:
        people = [Told(email=f"{name}@example.com", custom_id=name) for name in ("C1", "C2")]
        numbers = [number for number in transfer.people(people)[0] if number is not None]
        transfer.join(made.id, [Place(each, MembershipState.SUBSCRIBED) for each in numbers])
        transfer.states(made.id, numbers)
        transfer.set_profiles(made.id, {number: {}})
        transfer.depart([Departure(contact_id=number, kind=ContactEventKind.COMPLAINED, at=now(), by="Bob")])
    look_up_recipients(database, account, made.id, numbers)
    event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for row in rows:
                big = ("SCAN contact", "SCAN membership", "SCAN contact_event", "SCAN opt_out", "SCAN suppression")
                assert not row[3].startswith(big), f"{row[3]}: {statement}"
                whole = "ix_contact_account_id_id (account_id=?)"
                assert not row[3].endswith(whole), f"{row[3]}: {statement}"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_walks(kind: str, request: pytest.FixtureRequest) -> None:
    """Pages of people by list, state and time: along an index, from where the page before ended, without sorting."""
    opened = request.getfixturevalue("database" if kind == "sqlite" else "new_postgresql")
    explain = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN"
    with opened.engine.connect() as connection, connection.begin() as transaction:
        columns = "(time_zone, identifier, created_at, name)"
        made = f"INSERT INTO account {columns} VALUES ('UTC', 'email', 0, 'WALKS') RETURNING id"
        number = connection.exec_driver_sql(made).scalar_one()
        made = f"INSERT INTO list (account_id, name, created_at) VALUES ({number}, 'News', 0) RETURNING id"
        list_id = connection.exec_driver_sql(made).scalar_one()
        numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) "
        connection.exec_driver_sql(
            "INSERT INTO contact (account_id, email, email_key, unique_email, created_at, updated_at) "
            f"{numbers} SELECT {number}, 'p' || n, 'p' || n, 'p' || n, 0, 0 FROM n"
        )
        connection.exec_driver_sql(
            "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at) "
            f"SELECT {list_id}, id, {number}, id, 'subscribed', 0 FROM contact WHERE account_id = {number}"
        )
        connection.exec_driver_sql("ANALYZE")
        account = Account(
            id=number,
            name="WALKS",
            parent_id=None,
            parent_name=None,
            identifier="email",
            time_zone="UTC",
            unsubscribe_type="all",
            tracking="full",
            field_labels={},
        )
        plans = {}
        for name, chosen in {
            "everybody": Walk(updated_since=now(), after=5),
            "list": Walk(list_id=list_id, after=5),
            "state": Walk(list_id=list_id, state="unsubscribed", updated_since=now(), after=5),
        }.items():
            for which, query in enumerate(
                Search(opened).walk_queries(account, Example(), chosen, last=2_000, limit=100)
            ):
                text = str(query.compile(opened.engine, compile_kwargs={"literal_binds": True}))
                rows = connection.exec_driver_sql(f"{explain} {text}").all()
                plans[name, which] = " / ".join(str(row[3] if kind == "sqlite" else row[0]) for row in rows)
        transaction.rollback()
    for (name, which), plan in plans.items():
        assert "SCAN" not in plan.replace("Index Scan", ""), plan
        assert "Seq Scan" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
        assert "Sort" not in plan, plan
        index = "contact" if name == "everybody" else "membership"
        assert index in plan, (name, which, plan)
