"""What was recorded of unsubscribes and complaints: ranges, filters, order and pages, on both databases (mm-30 to
mm-40, mm-116, mm-118)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event, update

from soapstone.contacts.changes import Cause, Changes
from soapstone.contacts.unsubscribes import Filters
from soapstone.magnetmail import types
from soapstone.store.tables import contact_events

make: Any = types
# Noon in New York is 17:00 in UTC in winter.
NOON = datetime.datetime(2026, 1, 10, 12)
OPEN = (datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))
SECOND = datetime.timedelta(seconds=1)


class Records:
    """Unsubscribes and complaints of one account, at chosen moments of its time."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk

    def add(self, kind: str, at: datetime.datetime, name: str, list_id: int | None = None, **cause: int) -> int:
        """Somebody new, and what happened to it; the number of the person."""
        utc = at.replace(tzinfo=self.desk.account.zone).astimezone(datetime.UTC)
        with Changes(self.desk.product.database).begin(self.desk.account) as change:
            contact_id = change.add(email=f"{name}@example.com")
            number = change.log(kind, contact_id, list_id, cause=Cause(**cause))
            change.connection.execute(update(contact_events).where(contact_events.c.id == number).values(at=utc))
        return contact_id

    def names(self, operation: str, *span: datetime.datetime | None) -> list[str]:
        start, end = span or OPEN
        rows = getattr(self.desk, operation)(fromDate=start, toDate=end)
        return [each.recipient.email.split("@")[0] for each in rows]

    def track(self, page: int, size: int, *span: datetime.datetime, **members: Any) -> tuple[int, list[int]]:
        start, end = span or OPEN
        given = {"MessageId": 0, "GroupId": 0, "GroupCategoryId": 0, **members}
        criteria = make.UnsubscribeSearchCriteria(
            PageNo=page, PageSize=size, SearchStartDate=start, SearchEndDate=end, **given
        )
        found = self.desk.GetUnsubscribeTracking(criteria=criteria)
        return found.Count, [each.RecipientId for each in found.data]


@pytest.fixture
def records(desk: Any) -> Records:
    return Records(desk)


def test_both_ends_belong_to_a_range(records: Records) -> None:
    """mm-30 to mm-34: whole seconds of the account's time; years 1 and 9999, and no date at all, are open."""
    half = datetime.timedelta(microseconds=500_000)
    for name, at in (("before", NOON - SECOND), ("noon", NOON + half), ("after", NOON + SECOND)):
        records.add("unsubscribed", at, name)
        records.add("complained", at, f"{name}-spam")
    for operation, mark in (("getUnsubscribes", ""), ("getSpamComplaints", "-spam")):
        everybody = [f"{name}{mark}" for name in ("before", "noon", "after")]
        assert records.names(operation) == everybody
        assert records.names(operation, None, None) == everybody
        assert records.names(operation, NOON, NOON) == everybody[1:2]
        assert records.names(operation, NOON + half + half / 2, NOON + half / 2) == everybody[1:2]
        assert records.names(operation, NOON - SECOND, NOON) == everybody[:2]
        assert records.names(operation, NOON, OPEN[1]) == everybody[1:]
        assert records.names(operation, OPEN[0], NOON - 2 * SECOND) == []
        assert records.names(operation, NOON + SECOND, NOON) == []
    assert [each.ResultDate for each in records.desk.getUnsubscribes(fromDate=NOON, toDate=NOON)] == [NOON]


def test_pages_by_date_then_number(records: Records) -> None:
    """mm-36, mm-37, mm-39, mm-40: dates go first, although numbers are given in another order."""
    offsets: Sequence[int] = (3, 1, 1, 2, 0)
    numbers = [records.add("unsubscribed", NOON + n * SECOND, f"p{place}") for place, n in enumerate(offsets)]
    order = [numbers[place] for place in (4, 1, 2, 3, 0)]
    pages = {page: records.track(page, 2) for page in (0, 1, 2, 3, 4)}
    assert pages == {0: (5, order[:2]), 1: (5, order[:2]), 2: (5, order[2:4]), 3: (5, order[4:]), 4: (5, [])}
    # Whoever asks for the last page first gets the same.
    assert records.track(2, 3) == (5, order[3:])
    for size in (0, -1, 2001):
        assert records.track(1, size) == (5, order)
    assert records.track(1, 10, NOON + SECOND, NOON + 2 * SECOND) == (3, order[1:4])


def test_filters(records: Records, product: Any, desk: Any) -> None:
    """mm-24, mm-116: message, group and category of groups; a group that nobody knows has none."""
    clubs = product.list_categories.add(desk.account.id, "Clubs")
    one, two = desk.group("One"), desk.group("Two")
    first = records.add("unsubscribed", NOON, "first", one.id, message_id=70)
    second = records.add("unsubscribed", NOON, "second", two.id, message_id=71)
    third = records.add("unsubscribed", NOON, "third", list_category_id=clubs.id)
    records.add("complained", NOON, "spam", one.id, message_id=70)
    assert records.track(1, 10) == (3, [first, second, third])
    assert records.track(1, 10, GroupId=one.id) == (1, [first])
    assert records.track(1, 10, MessageId=71) == (1, [second])
    assert records.track(1, 10, GroupCategoryId=clubs.id) == (1, [third])
    assert records.track(1, 10, GroupId=one.id, MessageId=71) == (0, [])
    other = product.accounts.create("OTHER", time_zone="UTC")
    theirs = product.lists.create(other.id, "Theirs")
    for unknown in (theirs.id, 987_654):
        assert records.track(1, 10, GroupId=unknown) == (0, [])
    names = [each.group_name for each in desk.getUnsubscribes()]
    assert names == ["One", "Two", ""]


def test_what_follows_from_an_unsubscribe_is_no_record_of_its_own(records: Records, product: Any, desk: Any) -> None:
    """mm-120: one unsubscribe from everything is one row, however many groups it ends."""
    groups = [desk.group(name).id for name in ("One", "Two", "Three")]
    number = int(desk.addRecipient(email="ann@example.com", Groups=groups).id)
    assert product.unsubscribes.add(desk.account, number) is not None
    assert records.names("getUnsubscribes") == ["ann"]
    assert records.track(1, 10) == (1, [number])


# PostgreSQL reads tables as small as this one whole.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_the_events_of_the_account_and_kind_are_read(records: Records, product: Any) -> None:
    """The query of a page goes by an index over account, kind and moment."""
    for number in range(50):
        records.add("unsubscribed", NOON + number * SECOND, f"p{number}")
    engine = product.database.engine
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    moment = NOON.replace(tzinfo=datetime.UTC)
    product.unsubscribes.page(1, "unsubscribed", Filters(at_from=moment), after=(moment, 1), limit=10)
    product.unsubscribes.count(1, "unsubscribed", Filters(at_from=moment))
    event.remove(engine, "before_cursor_execute", note)
    queries = [each for each in asked if each[0].lstrip().startswith("SELECT")]
    assert len(queries) == 2
    for statement, parameters in queries:
        with product.database.read() as connection:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
        assert "ix_contact_event_account_id_kind_at (account_id=? AND kind=? AND at>?)" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
