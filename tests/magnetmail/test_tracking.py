"""The tracking of MagnetMail against an oracle that knows the acts alone: every member of every operation, page by page
in any order, for ranges with any zone, on both databases (mm-109 to mm-117)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from tests.magnetmail.conftest import Desk
from tests.magnetmail.tracked_world import URLS, TrackedWorld
from tests.magnetmail.tracking_comparison import OPEN, Comparison, Span, limits
from tests.magnetmail.tracking_oracle import ZONE, Row

from soapstone.magnetmail import types
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.wire.faults import Fault

make: Any = types

# Changes of the clocks of New York, and times that do not exist in the night of the first.
CHANGES = (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC))
GAP = (datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 2, 45))


@pytest.fixture
def world(desk: Any, monkeypatch: pytest.MonkeyPatch) -> TrackedWorld:
    return TrackedWorld(desk, monkeypatch)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackedWorld]:
    """Several sends, and some thousand acts across a change of clocks; tests only read it."""
    folder = tmp_path_factory.mktemp("busy")
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("sqlite_template"), folder / "soapstone.sqlite")
            url = f"sqlite:///{folder / 'soapstone.sqlite'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgresql_databases").fresh())
        database = Database(url)
        stack.callback(database.close)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        product = Product.open(Settings(data_dir=folder / "data"), database)
        account = product.accounts.create("ACME", time_zone="America/New_York")
        world = TrackedWorld(Desk(product, account, product.accounts.add_login(account, "ann", "secret")), patch)
        world.fill()
        yield world


def details(world: TrackedWorld, report: str, page: int, size: int, span: Span = OPEN, **members: Any) -> Any:
    utc, desk = members.pop("utc", False), members.pop("desk", world.desk)
    operation = desk.getDetailedTrackingUTC if utc else desk.getDetailedTracking
    given = {"message_id": world.messages[0], "group_id": 0, "fromDate": span[0], "toDate": span[1], **members}
    report_type = types.tracking_report_type(report)
    return operation(report_type=report_type, page=page, recordsPerPage=size, **given)


def row_of(given: Any) -> Row:
    assert given.faxStatus.value == "Inprogress"
    return Row(
        person=int(given.recipient.id),
        date=given.ResultDate,
        remarks=given.remarks,
        status=given.Status.value,
        opened=given.OpenDate,
        mail=given.MMId,
    )


def test_every_member_of_every_answer(busy: TrackedWorld) -> None:
    """mm-36 to mm-40, mm-111 to mm-114, mm-116, mm-117"""
    comparison = Comparison(busy)
    comparison.everything()
    assert comparison.rows > 2000
    whole = busy.oracle.totals(busy.messages[0], 0)
    assert all(whole[name] for name in ("EmailBounced", "EmailOpened", "EmailLinksClicked", "Unsubscribed"))


def zoned(at: datetime, minutes: int | None) -> datetime:
    """A date as a client with that offset writes it; with None it gives the account's wall-clock time."""
    if minutes is None:
        return at.astimezone(ZONE).replace(tzinfo=None)
    return at.astimezone(timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize("kind", ["email_opened", "links", "email_sent", "unsubscribed", "open", "click", "sent"])
@settings(max_examples=12)
@given(data=st.data())
def test_any_range_and_page_border(busy: TrackedWorld, kind: str, data: st.DataObject) -> None:
    """mm-31, mm-33, mm-34, mm-36 to mm-40: ends with any zone, and pages that hold all rows, one less, or one more."""
    moments = [act.at for act in busy.oracle.acts]
    offsets = st.sampled_from([None, None, -1000, -300, -240, 0, 345])
    near = st.sampled_from([*moments, *CHANGES])
    steps = st.integers(-7200, 7200) | st.sampled_from([-1, 0, 1])
    end = st.builds(lambda at, step, offset: zoned(at + timedelta(seconds=step), offset), near, steps, offsets)
    ends = st.none() | end | st.sampled_from([datetime(2026, 11, 1), datetime(1, 1, 1), datetime(9999, 12, 31), *GAP])
    span = data.draw(st.tuples(ends, ends))
    comparison, utc, message = Comparison(busy), data.draw(st.booleans()), busy.messages[0]
    per_account = kind in ("open", "click", "sent")
    meant = limits(span, utc and not per_account)
    if per_account:
        rows = len(busy.oracle.account(kind, meant))
    else:
        rows = len(busy.oracle.details(kind, message, 0, meant, utc=utc))
    size = max(1, min(2000, rows + data.draw(st.sampled_from([-1, 0, 1]))))
    if per_account:
        comparison.events(kind, span, size, pages=(2, 1))
    else:
        comparison.report(kind, span, size, utc=utc, message=message, group=0, pages=(2, 1))


def test_mm_31_an_end_that_daylight_saving_leaves_out(world: TrackedWorld) -> None:
    """mm-31: 2:30 does not exist on that day. It is 3:30, so that the range has what happened before 2:00."""
    change = datetime(2026, 3, 8, 7, tzinfo=UTC)
    world.moment = change - timedelta(days=1)
    world.send(world.messages[0], world.groups[0])
    for minutes in (-45, -15, 15, 45):
        world.moment = change + timedelta(minutes=minutes)
        world.look()
    for span in ((datetime(2026, 3, 8, 1, 30), GAP[0]), (GAP[0], datetime(2026, 3, 8, 4)), GAP):
        for report in ("email_opened", "links"):
            Comparison(world).report(report, span, 40, utc=False, message=world.messages[0], group=0)
    for span, moments in (((datetime(2026, 3, 8), GAP[0]), {-45, -15, 15}), ((GAP[1], datetime(2026, 3, 9)), {45})):
        low, high = limits(span, False)
        assert low is not None
        assert high is not None
        assert {each for each in (-45, -15, 15, 45) if low <= change + timedelta(minutes=each) <= high} == moments


def test_links_and_histories(busy: TrackedWorld) -> None:
    """mm-86, mm-111, mm-115"""
    numbers: dict[tuple[int, str], int] = {}
    for message in busy.messages:
        for group in (0, *busy.groups):
            links = busy.desk.getLinkURLs(message_id=message, group_id=group)
            clicks = {each.link_url: each.link_clicks for each in links if each.link_clicks}
            assert clicks == busy.oracle.clicks(message, group)
            if links:
                assert [each.link_url for each in links] == list(URLS)
                numbers |= {(message, each.link_url): each.linkid for each in links}
    assert numbers == {key: min(ids) for key, ids in busy.links.items()}
    for person in busy.people:
        history = busy.desk.getRecipientHistory(recipient_id=person)
        rows = []
        for each in history.emailHistory:
            rows.append((each.message_id, each.open_date, each.send_result, [link.link_url for link in each.links]))
            assert [link.link_url_id for link in each.links] == [
                numbers[each.message_id, link.link_url] for link in each.links
            ]
        assert rows == busy.oracle.history(person)


def test_filters_match_as_a_search_does(busy: TrackedWorld) -> None:
    """mm-79, mm-114"""
    found = busy.desk.searchForRecipients(criteria=make.RecipientSearchCriteria(first_name="PERSON0*"))
    ours = {int(each.id) for each in found.recipients}
    assert len(ours) == 10
    for report in ("email_sent", "email_opened", "links", "unsubscribed", "email_delivered"):
        everything = busy.oracle.details(report, busy.messages[0], 0, OPEN, utc=False)
        wanted = [row for row in everything if row.person in ours]
        assert 0 < len(wanted) < len(everything)
        rows: list[Row] = []
        for page in range(1, len(wanted) + 1):
            answer = details(busy, report, page, 60, first_name=" PERSON0*")
            assert answer.totalRecords == len(wanted)
            rows += [row_of(each) for each in answer.RecipientDetails]
            if len(answer.RecipientDetails) < 60:
                break
        assert rows == wanted
        assert details(busy, report, 1, 5, first_name="person0*", email="tess@example.com").totalRecords == 0
        assert details(busy, report, 1, 5, last_name="x").totalRecords == 0
        assert details(busy, report, 1, 5, fax="0").RecipientDetails == []


def test_page_sizes(world: TrackedWorld) -> None:
    """mm-36, mm-37, mm-39"""
    world.send(world.messages[0], *world.groups)
    sent = len(world.mails)
    for page, size, told_page, told_size in (
        (0, 0, 1, 2000),
        (-3, -1, 1, 2000),
        (1, 2001, 1, 2000),
        (2, 2000, 2, 2000),
    ):
        answer = details(world, "email_sent", page, size)
        assert (answer.page, answer.recordsPerPage, answer.totalRecords) == (told_page, told_size, sent)
        assert len(answer.RecipientDetails) == (sent if told_page == 1 else 0)
        criteria = make.MessageTrackingSearchCriteria(PageNo=page, PageSize=size)
        found = world.desk.GetMessageSentTracking(criteria=criteria)
        assert (found.Count, len(found.data)) == (sent, sent if told_page == 1 else 0)
    # A page that is exactly full, and the empty one after it.
    assert len(details(world, "all", 1, sent).RecipientDetails) == sent
    assert details(world, "all", 2, sent).RecipientDetails == []


def test_a_report_type_that_is_missing_is_that_of_sent_mails(world: TrackedWorld) -> None:
    """mm-6; an unknown message or group has no figures (mm-24) and an empty page (mm-25)."""
    desk, message = world.desk, world.messages[0]
    world.send(message, world.groups[0])
    plain = desk.getDetailedTracking(message_id=message)
    assert plain == details(world, "email_sent", 1, 0)
    assert plain.totalRecords == len(world.mails)
    for unknown in ({"message_id": 987_654, "group_id": 0}, {"message_id": message, "group_id": 987_654}):
        assert desk.getOverallTracking(**unknown) is None
        assert desk.getTrackingData(**unknown) is None
        answer = desk.getDetailedTracking(page=3, recordsPerPage=5, **unknown)
        assert (answer.totalRecords, answer.page, answer.recordsPerPage) == (0, 3, 5)
        assert answer.RecipientDetails == []
    criteria = make.MessageLinkTrackingSearchCriteria(MessageId=987_654)
    found = desk.GetMessageLinkTracking(criteria=criteria)
    assert (found.Count, found.data) == (0, [])
    for operation in ("GetMessageLinkTracking", "GetMessageSentTracking", "GetMessageOpenTracking"):
        with pytest.raises(Fault, match=r"\[InvalidRequest\] criteria is missing"):
            getattr(desk, operation)(criteria=None)


def test_links_of_a_message_that_was_edited_after_its_send(world: TrackedWorld) -> None:
    """mm-115: clicks on a link that is not there any more still count; untracked links have numbers below 0."""
    desk, message = world.desk, world.messages[0]
    before = desk.getLinkURLs(message_id=message, group_id=0)
    assert [each.link_url for each in before] == list(URLS)
    assert len({each.linkid for each in before}) == 3
    assert all(each.linkid < 0 for each in before)
    world.send(message, world.groups[0])
    for _ in range(20):
        world.look()
    edited = make.MessageDetails(
        message_id=message, message_name="May", SubjectLine="May", FromAddress="ann@example.com", text_version="Nothing"
    )
    assert desk.editMagnetMailMessage(message=edited).error == 0
    after = desk.getLinkURLs(message_id=message, group_id=0)
    assert {each.link_url: each.link_clicks for each in after} == world.oracle.clicks(message, 0)
    assert [each.linkid for each in after] == [world.links[message, each.link_url][0] for each in after]
    assert [each.link_text for each in after] == ["text 1", "text 2", "text 3"]
    assert desk.getLinkURLs(message_id=message, group_id=world.groups[1]) == []


def test_pages_while_events_come_in(world: TrackedWorld) -> None:
    """mm-40: who reads page after page misses no row that was there at the start, also when mails come back."""
    desk, message = world.desk, world.messages[0]
    world.send(message, *world.groups)
    wanted = world.oracle.details("email_delivered", message, 0, OPEN, utc=False)
    rows: list[Row] = []
    for page in range(1, len(wanted) + 1):
        answer = details(world, "email_delivered", page, 4)
        rows += [row_of(each) for each in answer.RecipientDetails]
        if len(answer.RecipientDetails) < 4:
            break
        world.bounce()
    gone = set(world.oracle.bounces())
    assert {row.mail for row in wanted} - gone <= {row.mail for row in rows}
    assert len({row.mail for row in rows}) == len(rows)
    figures = desk.getTrackingData(message_id=message, group_id=0)
    assert figures.EmailDelivered + figures.EmailBounced == figures.EmailSent == len(wanted) + refused(world)


def refused(world: TrackedWorld) -> int:
    return sum(act.kind == "bounce" and act.what == "user" and "5.1.1" in act.words for act in world.oracle.acts)


def test_a_login_with_granted_groups(busy: TrackedWorld) -> None:
    """mm-26: sends to other groups do not exist for it; figures, rows and links are those of its own groups."""
    desk, product = busy.desk, busy.product
    mine = busy.groups[0]
    bea = product.accounts.add_login(desk.account, "bea", "secret", lists=[mine])
    hers = type(desk)(product, desk.account, bea)
    may = busy.messages[0]
    for group in busy.groups[1:]:
        assert hers.getOverallTracking(message_id=may, group_id=group) is None
        assert hers.getDetailedTracking(message_id=may, group_id=group).totalRecords == 0
        assert hers.getLinkURLs(message_id=may, group_id=group) == []
    own = hers.getOverallTracking(message_id=may, group_id=mine)
    # Who has left the group is not there for it, as in getUnsubscribes.
    members = desk.getOverallTracking(message_id=may, group_id=mine).__dict__
    assert own.__dict__ == members | {"Unsubscribed": own.Unsubscribed}
    assert own.Unsubscribed == details(busy, "unsubscribed", 1, 0, desk=hers, group_id=mine).totalRecords
    whole = hers.getOverallTracking(message_id=may, group_id=0)
    assert {each.group_id for each in whole.GroupsEmailSentTo} == {mine}
    # Sends to single people belong to no group.
    parts = [busy.oracle.totals(may, group)["EmailSent"] for group in busy.groups]
    single = busy.oracle.totals(may, 0)["EmailSent"] - sum(parts)
    assert (whole.EmailSent, single) == (parts[0] + single, 3)
    answer = hers.getDetailedTracking(message_id=may)
    assert answer.totalRecords == whole.EmailSent
    visible = {int(each.id) for each in hers.searchForRecipients(criteria=make.RecipientSearchCriteria()).recipients}
    for row in answer.RecipientDetails:
        hidden = int(row.recipient.id) not in visible
        assert not hidden or (row.recipient.id, row.recipient.email) == ("0", "")
    seen = hers.GetMessageSentTracking(criteria=make.MessageTrackingSearchCriteria())
    assert {row.RecipientId for row in seen.data} <= visible
    assert (
        seen.Count == len(seen.data) < desk.GetMessageSentTracking(criteria=make.MessageTrackingSearchCriteria()).Count
    )


def test_rows_are_counted_once(busy: TrackedWorld) -> None:
    """mm-39, mm-114: later pages of a filtered report have the number of the first; others are never counted."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    def counted(read: Any) -> int:
        asked.clear()
        read()
        return sum("count(*)" in each or "count(distinct" in each.lower() for each in asked)

    def unsubscribes(page: int) -> Any:
        criteria = make.UnsubscribeSearchCriteria(PageNo=page, PageSize=2, MessageId=0, GroupId=0, GroupCategoryId=0)
        return busy.desk.GetUnsubscribeTracking(criteria=criteria)

    event.listen(busy.database.engine, "before_cursor_execute", note)
    try:
        for read in (
            unsubscribes,
            lambda page: details(busy, "email_sent", page, 2, email="p*"),
            lambda page: details(busy, "email_opened", page, 2, group_id=busy.groups[1]),
            lambda page: details(busy, "unsubscribed", page, 2),
        ):
            assert [counted(lambda page=page, read=read: read(page)) for page in (1, 2, 3, 1)] == [1, 0, 0, 1]
        for report in ("email_sent", "email_delivered", "email_opened", "links", "email_bounced", "all"):
            assert [counted(lambda page=page, report=report: details(busy, report, page, 2)) for page in (1, 3)] == [
                0,
                0,
            ]
    finally:
        event.remove(busy.database.engine, "before_cursor_execute", note)
