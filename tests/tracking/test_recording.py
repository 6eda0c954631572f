"""Recorded acts against a model in plain Python: events, numbers, dates, figures, and what each recipient did."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.tracking.ledger import Sent, send

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import clock
from soapstone.store.database import Database
from soapstone.store.tables import delivery_activities, event_counters, link_figures, mail_events, send_figures
from soapstone.tracking import figures
from soapstone.tracking.recording import Act, AnonymousAct, record_acts
from soapstone.vocabulary.tracking import MailEventKind as Kind

PERSONAL = (Kind.OPEN, Kind.READ, Kind.CLICK)
GROSS = {
    Kind.OPEN: "opens",
    Kind.CLICK: "clicks",
    Kind.MACHINE_OPEN: "machine_opens",
    Kind.MACHINE_CLICK: "machine_clicks",
}


class Event:
    """An event as the model has it; `before` is the batch of the mail's last one of the kind, -1 for none."""

    def __init__(self, kind: Kind, sent: Sent, delivery: int | None, link: int | None, batch: int, before: int) -> None:
        self.kind, self.sent, self.delivery, self.link, self.batch, self.before = (
            kind,
            sent,
            delivery,
            link,
            batch,
            before,
        )


class Model:
    """What acts make of mails: no table and no code of the product."""

    def __init__(self, sent: Sequence[Sent], strangers: set[int]) -> None:
        self.of = {mail: each for each in sent for mail in each.mails}
        self.strangers = strangers
        self.events: list[Event] = []
        self._last: dict[tuple[int, Kind], int] = {}

    def batch(self, number: int, acts: Sequence[Act | AnonymousAct], sent: dict[int, Sent]) -> None:
        for act in acts:
            if isinstance(act, AnonymousAct):
                if act.kind is not Kind.READ:
                    self.events.append(Event(act.kind, sent[act.job_id], None, act.link_id, number, -1))
                continue
            if act.delivery_id not in self.of:
                continue
            proved = {Kind.READ: [Kind.OPEN], Kind.CLICK: [Kind.OPEN, Kind.READ]}.get(act.kind, [])
            for kind in proved:
                if (act.delivery_id, kind) not in self._last:
                    self._add(kind, act.delivery_id, None, number)
            self._add(act.kind, act.delivery_id, act.link_id, number)

    def _add(self, kind: Kind, delivery: int, link: int | None, batch: int) -> None:
        before = self._last.get((delivery, kind), -1)
        if kind in PERSONAL:
            self._last[delivery, kind] = batch
        self.events.append(Event(kind, self.of[delivery], delivery, link, batch, before))

    def send_figures(self) -> dict[int, dict[str, int]]:
        found: dict[int, Counter[str]] = defaultdict(Counter)
        clicks: Counter[int] = Counter()
        for each in self.events:
            figure = found[each.sent.job_id]
            if each.kind in GROSS:
                figure[GROSS[each.kind]] += 1
            if each.delivery is None or each.kind not in PERSONAL:
                continue
            if each.before < 0:
                figure[{Kind.OPEN: "openers", Kind.READ: "readers", Kind.CLICK: "clickers"}[each.kind]] += 1
            if each.kind is Kind.CLICK:
                clicks[each.delivery] += 1
                figure["repeat_clickers"] += clicks[each.delivery] == 2
        return {job: {name: count for name, count in figure.items() if count} for job, figure in found.items()}

    def link_figures(self) -> dict[tuple[int, int], dict[str, int]]:
        found: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
        clickers = set()
        for each in self.events:
            if each.link is None:
                continue
            figure = found[each.link, each.sent.job_id]
            figure[GROSS[each.kind]] += 1
            if each.delivery is not None and each.kind is Kind.CLICK and (each.delivery, each.link) not in clickers:
                clickers.add((each.delivery, each.link))
                figure["clickers"] += 1
        return {key: {name: count for name, count in figure.items() if count} for key, figure in found.items()}


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table)))


def nonzero(row: Any, names: Sequence[str]) -> dict[str, int]:
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def check(database: Database, model: Model, dates: Sequence[datetime]) -> None:
    """The records are those of the model."""
    stored = rows(database, mail_events)
    assert len(stored) == len(model.events)
    by_key = {(row.message_id, row.is_test, row.kind, row.number): row for row in stored}
    numbers: Counter[Any] = Counter()
    for each in model.events:
        kind, sent = each.kind.value, each.sent
        numbers[sent.message_id, sent.is_test, kind] += 1
        row = by_key[sent.message_id, sent.is_test, kind, numbers[sent.message_id, sent.is_test, kind]]
        first = each.delivery is not None and each.kind in PERSONAL and each.before < 0
        counted = each.delivery is not None and each.delivery not in model.strangers and not sent.is_test
        assert (row.delivery_id, row.job_id, row.link_id, row.at, row.account_id) == (
            each.delivery,
            sent.job_id,
            each.link,
            dates[each.batch],
            sent.account_id,
        )
        assert row.previous_at == (dates[each.before] if each.before >= 0 else None)
        scopes: tuple[tuple[str, bool, tuple[object, ...]], ...] = (
            ("account_number", counted, (sent.account_id,)),
            ("first_number", first, (sent.message_id, sent.is_test)),
            ("link_number", each.link is not None, (each.link, sent.is_test)),
        )
        for column, wanted, scope in scopes:
            numbers[column, kind, *scope] += wanted
            assert getattr(row, column) == (numbers[column, kind, *scope] if wanted else None), (column, row)
    names = [column.name for column in send_figures.columns if column.name not in ("job_id", "account_id")]
    of_sends = {row.job_id: nonzero(row, names) for row in rows(database, send_figures)}
    assert of_sends == model.send_figures()
    names = ["clicks", "clickers", "machine_clicks"]
    of_links = {(row.link_id, row.job_id): nonzero(row, names) for row in rows(database, link_figures)}
    assert of_links == model.link_figures()
    activities = {row.delivery_id: row for row in rows(database, delivery_activities)}
    for mail in model.of:
        own = [each for each in model.events if each.delivery == mail and each.kind in PERSONAL]
        assert (mail in activities) == bool(own)
        for kind, earliest, latest in (
            (Kind.OPEN, "opened_at", "last_opened_at"),
            (Kind.READ, "read_at", "last_read_at"),
            (Kind.CLICK, "clicked_at", "last_clicked_at"),
        ):
            batches = [each.batch for each in own if each.kind is kind]
            if mail in activities:
                assert getattr(activities[mail], earliest) == (dates[batches[0]] if batches else None)
                assert getattr(activities[mail], latest) == (dates[batches[-1]] if batches else None)
                if kind is not Kind.READ:
                    assert getattr(activities[mail], f"{kind.value}s") == len(batches)


# The act of a mail by its index, with the place of its link; mail 8 is none, and from 9 on they are without a person.
ACTS = st.tuples(
    st.sampled_from((*PERSONAL, Kind.MACHINE_OPEN, Kind.MACHINE_CLICK)), st.integers(0, 11), st.integers(1, 3)
)
# A batch, and by how many seconds the clock is set before it, forward or back.
BATCHES = st.lists(st.tuples(st.integers(-100_000, 100_000), st.lists(ACTS, max_size=12)), max_size=6)


class Scene:
    """Two messages: the first was sent twice and tested, in one of two accounts; and their mails."""

    def __init__(self, database: Database) -> None:
        accounts = Accounts(database)
        one, two = (accounts.create(name, time_zone="UTC") for name in ("ACME", "OTHER"))
        first = send(database, one, 3, links=3, strangers=1)
        self.sends = [first, send(database, one, 2, again=first), send(database, one, 1, again=first, is_test=True)]
        self.sends.append(send(database, two, 2, links=3))
        self.mails = [mail for each in self.sends for mail in each.mails]
        self.strangers = {first.mails[2]}

    def act(self, kind: Kind, mail: int, position: int) -> Act | AnonymousAct:
        clicks = kind in (Kind.CLICK, Kind.MACHINE_CLICK)
        if mail > 8:
            sent = self.sends[(mail - 9) % 3 + (mail - 9) // 2]
            link_id = sent.links[position] if clicks else None
            return AnonymousAct(
                kind=kind,
                account_id=sent.account_id,
                message_id=sent.message_id,
                job_id=sent.job_id,
                is_test=sent.is_test,
                link_id=link_id,
            )
        if mail == 8:
            return Act(kind=kind, delivery_id=10**9, link_id=self.sends[0].links[position] if clicks else None)
        sent = next(each for each in self.sends if self.mails[mail] in each.mails)
        return Act(kind=kind, delivery_id=self.mails[mail], link_id=sent.links[position] if clicks else None)


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_any_acts_in_any_batches(
    database: Database, scene: Scene, batches: list[tuple[int, list[tuple[Kind, int, int]]]]
) -> None:
    with database.write() as connection:
        for table in (mail_events, event_counters, delivery_activities, link_figures, send_figures):
            connection.execute(table.delete())
    model = Model(scene.sends, scene.strangers)
    dates: list[datetime] = []
    moment = datetime(2026, 5, 4, 12, tzinfo=UTC)
    for number, (step, chosen) in enumerate(batches):
        moment += timedelta(seconds=step)
        acts = [scene.act(*each) for each in chosen]
        with clock(lambda at=moment: at), database.write() as connection:  # type: ignore[misc]
            dates.append(record_acts(connection, acts))
        model.batch(number, acts, {each.job_id: each for each in scene.sends})
    check(database, model, dates)
    check_order(database)


def test_thousands_of_acts_in_a_batch(database: Database, scene: Scene) -> None:
    """They are stored another way than a few are."""
    dice, model, dates = random.Random(17), Model(scene.sends, scene.strangers), []
    kinds = (*PERSONAL, Kind.MACHINE_OPEN, Kind.MACHINE_CLICK)
    for number in range(3):
        acts = [scene.act(dice.choice(kinds), dice.randint(0, 11), dice.randint(1, 3)) for _ in range(2_000)]
        with database.write() as connection:
            dates.append(record_acts(connection, acts))
        model.batch(number, acts, {each.job_id: each for each in scene.sends})
    check(database, model, dates)
    check_order(database)


def check_order(database: Database) -> None:
    """Dates ascend with the numbers of each scope, also when the clock is set back."""
    for number, scope in (
        ("number", ("message_id", "is_test", "kind")),
        ("account_number", ("account_id", "kind")),
        ("first_number", ("message_id", "is_test", "kind")),
        ("link_number", ("link_id", "is_test", "kind")),
    ):
        groups: dict[Any, dict[int, datetime]] = defaultdict(dict)
        for row in rows(database, mail_events):
            if (place := getattr(row, number)) is not None:
                groups[tuple(getattr(row, name) for name in scope)][place] = row.at
        for group in groups.values():
            assert sorted(group) == list(range(1, len(group) + 1))
            assert [group[place] for place in sorted(group)] == sorted(group.values())


def test_dates_of_two_messages_ascend_each_for_itself(database: Database, account: Account) -> None:
    one, two = send(database, account, 1), send(database, account, 1)
    late = datetime(2026, 5, 4, 12, tzinfo=UTC)
    dates = []
    for moment, sent in ((late, one), (late - timedelta(hours=1), two), (late - timedelta(hours=2), one)):
        with clock(lambda at=moment: at), database.write() as connection:  # type: ignore[misc]
            dates.append(record_acts(connection, [Act(kind=Kind.OPEN, delivery_id=sent.mails[0])]))
    # The account counts them, too: all of its events ascend.
    assert dates == [late + timedelta(milliseconds=500)] * 3


def test_figures_of_links_are_summed_over_sends(database: Database, account: Account) -> None:
    one = send(database, account, 1, links=1)
    two = send(database, account, 1, again=one)
    acts = [Act(kind=Kind.CLICK, delivery_id=each.mails[0], link_id=one.links[1]) for each in (one, two, two)]
    with database.write() as connection:
        record_acts(connection, acts)
    found = figures.of_links(database, [one.links[1]], [one.job_id, two.job_id])[one.links[1]]
    assert (found.clicks, found.clickers) == (3, 2)
    kept = figures.of_sends(database, [one.job_id, two.job_id])
    assert figures.total(kept.values()).repeat_clickers == 1


@pytest.mark.parametrize("size", [1, 499, 500, 501, 1200])
def test_many_mails_in_one_batch(database: Database, account: Account, size: int) -> None:
    sent = send(database, account, size, links=1)
    for _ in range(2):
        with database.write() as connection:
            clicks = [Act(kind=Kind.CLICK, delivery_id=mail, link_id=sent.links[1]) for mail in sent.mails]
            record_acts(connection, clicks)
    found = figures.of_sends(database, [sent.job_id])[sent.job_id]
    assert (found.opens, found.openers, found.readers) == (size, size, size)
    assert (found.clicks, found.clickers, found.repeat_clickers) == (2 * size, size, size)


def test_a_batch_moves_any_number_of_counters(database: Database, account: Account) -> None:
    links = 450
    sent = send(database, account, 1, links=links)
    acts = [Act(Kind.CLICK, sent.mails[0], link) for link in sent.links.values()]
    for _ in range(2):
        with database.write() as connection:
            at = record_acts(connection, acts)
    with database.read() as connection:
        clicks = select(mail_events).where(mail_events.c.kind == Kind.CLICK).order_by(mail_events.c.number)
        found = connection.execute(clicks).all()
        dates = connection.execute(select(event_counters.c.last_at).where(event_counters.c.kind == Kind.CLICK))
        assert {date for (date,) in dates} == {at}
    assert [each.number for each in found] == list(range(1, 2 * links + 1))
    assert [each.link_number for each in found] == [1] * links + [2] * links
