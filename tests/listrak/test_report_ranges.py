"""Ranges of reports as a client may give them: any ends, in any zone, around changes of clocks, and at page borders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.listrak import reports_oracle as oracle
from tests.listrak.desk import Desk
from tests.listrak.mailings import LONG_AGO, Mailing, Mailings
from tests.listrak.reports_comparison import KINDS, PAGE, rows_of
from tests.listrak.reports_oracle import EVER, REPLIES, Done, History, Mail, Recipient, Send

from soapstone.clock import clock
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, FinalResult, record_acts, record_bounces, record_results
from soapstone.vocabulary.tracking import MailEventKind

SIDE = 24
MIDDLE = PAGE - 20
REPLY = next(iter(REPLIES))
# New York and Berlin change their clocks at 7:00 and 1:00 in March, at 6:00 and 1:00 in autumn.
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
]
# The last one moves its clocks by half an hour.
ZONES = ["America/New_York", "Europe/Berlin", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe"]


def moments() -> list[tuple[datetime, int]]:
    """Moments, and for how many mails all happens then: one around each change of clocks, most of them in July."""
    steps = range(-SIDE // 4, SIDE // 4)
    found = [
        (change + timedelta(minutes=14 * step, microseconds=1009 * (step + SIDE)), 1)
        for change in CHANGES
        for step in steps
    ]
    return [*found[:SIDE], (datetime(2026, 7, 1, 12, tzinfo=UTC), MIDDLE), *found[SIDE:]]


def make(mailings: Mailings) -> History:
    """A message of which each mail was sent, opened, read and clicked, and whose recipient left, at once. Around the
    changes of clocks it came back, too; and in autumn somebody of the spring opens and clicks again."""
    list_id = mailings.new_list()
    plan = moments()
    people = mailings.people(list_id, sum(size for _, size in plan))
    mailing = mailings.send(list_id, people, at=LONG_AGO, recorded=False)
    number, url = mailings.link(mailing.message, 1, description="Shop")
    history = History(LONG_AGO, lists={list_id: "List"}, subjects={mailing.message: mailing.subject})
    history.sends.append(Send(mailing.message, list_id, LONG_AGO, False))
    history.links[number] = (mailing.message, url, "HTML", "Shop")
    mails = [
        Mail(delivery, mailing.message, list_id, Recipient(person.number, person.email), False)
        for delivery, person in zip(mailing.deliveries, mailing.people, strict=True)
    ]
    done = 0
    for moment, size in plan:
        those = slice(done, done + size)
        now, again = mails[those], mails[:1] if done > PAGE // 2 else []
        done += size
        with clock(lambda moment=moment: moment):  # type: ignore[misc]
            with mailings.database.write() as connection:
                record_results(connection, [FinalResult(delivery_id=each.delivery) for each in now])
                acts: list[tuple[str, Mail, int | None]] = [("click", each, number) for each in now]
                acts += [("open", each, None) for each in again] + [("click", each, number) for each in again]
                noted = [
                    Act(kind=MailEventKind(kind), delivery_id=each.delivery, link_id=link) for kind, each, link in acts
                ]
                record_acts(connection, noted)
                back = now if size == 1 else []
                record_bounces(connection, {each.delivery: of_reply(REPLY) for each in back})
            left = Mailing(
                mailing.job, mailing.message, mailing.subject, mailing.people[those], mailing.deliveries[those]
            )
            mailings.all_leave(left, list_id)
        at = moment + timedelta(milliseconds=500)
        history.done += [Done(at, "sent", each) for each in now]
        history.done += [Done(at, kind, each, link) for kind, each, link in acts]
        history.done += [Done(at, "bounce", each, REPLY) for each in back]
        history.done += [Done(moment, "left", each) for each in now]
    return history


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, History]]:
    """The operations, and what happened; tests only read it."""
    folder = tmp_path_factory.mktemp("ranges")
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("sqlite_template"), folder / "soapstone.sqlite")
            url = f"sqlite:///{folder / 'soapstone.sqlite'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgresql_databases").fresh())
        database = Database(url)
        stack.callback(database.close)
        product = Product.open(Settings(data_dir=folder / "data"), database)
        account = product.accounts.create("ACME", time_zone="America/New_York")
        product.accounts.add_login(account, "ann", "secret")
        yield Desk(product, "ann"), make(Mailings(product, account))


DATES = [moment + timedelta(milliseconds=500) for moment, _ in moments()]
TICK = timedelta(microseconds=1)


@st.composite
def ends(draw: Any) -> datetime:
    """An end of a range: open, a day, or near an act or a change of clocks, as a client of any zone writes it."""
    near = draw(st.sampled_from([None, datetime(2026, 3, 8), *DATES, *CHANGES]))
    if near is None:
        return EVER
    if near.tzinfo is None:
        return datetime(2026, draw(st.integers(1, 12)), draw(st.integers(1, 28)))
    given_offset = draw(st.sampled_from([None, -1000, -300, -240, 0, 60, 120, 345]))
    steps = st.sampled_from([-TICK, 0 * TICK, TICK, timedelta(seconds=1), timedelta(minutes=30), timedelta(hours=-1)])
    moment: datetime = near + draw(steps)
    if given_offset is not None:
        return moment.astimezone(timezone(timedelta(minutes=given_offset)))
    return moment.astimezone(ZoneInfo(draw(st.sampled_from(ZONES)))).replace(tzinfo=None)


@st.composite
def page_borders(draw: Any) -> tuple[datetime, datetime]:
    """A range with 2,499, 2,500 or 2,501 mails."""
    sides = draw(st.sampled_from([-1, 0, 1])) + PAGE - MIDDLE
    before = draw(st.integers(0, sides))
    start, end = DATES[SIDE - before], DATES[SIDE + 1 + sides - before]
    return start, end


@pytest.mark.parametrize("kind", KINDS[1:])
@settings(max_examples=15)
@given(span=st.one_of(page_borders(), st.tuples(ends(), ends())), page=st.integers(0, 3), zone=st.sampled_from(ZONES))
@example(span=(DATES[SIDE - 19], DATES[SIDE + 1]), page=1, zone="UTC")
@example(span=(DATES[SIDE - 20], DATES[SIDE + 1]), page=2, zone="UTC")
@example(span=(DATES[SIDE - 20], DATES[SIDE + 2]), page=2, zone="UTC")
@example(span=(EVER, datetime(9999, 12, 31, 23, 59, 59)), page=2, zone="Europe/Berlin")
def test_ranges(world: tuple[Desk, History], kind: str, span: tuple[datetime, datetime], page: int, zone: str) -> None:
    """lk-21 to lk-25, lk-30, lk-31, lk-107: also for accounts in other zones."""
    desk, history = world
    history.zone = ZoneInfo(zone)
    (message,) = history.subjects
    desk.live_in(zone)
    wanted = oracle.expected(history, kind, message, *span)
    first = max(page - 1, 0) * PAGE
    asked = {"MsgID": message, "StartDate": span[0], "EndDate": span[1], "Page": page}
    operation = f"ReportRangeMessageContact{kind}"
    assert rows_of(getattr(desk, operation)(**asked), operation) == wanted[first : first + PAGE]


def test_ranges_have_pages_of_2500() -> None:
    """The examples above are what they shall be."""
    for before, after, mails in ((19, 1, PAGE - 1), (20, 1, PAGE), (20, 2, PAGE + 1)):
        between = [size for moment, size in moments() if DATES[SIDE - before] <= moment + timedelta(milliseconds=500)]
        assert sum(between) - sum(size for moment, size in moments()[SIDE + after :]) == mails
