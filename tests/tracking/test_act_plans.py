"""Plans of acts: made while those before them are stored, they make the same records, or none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.tracking.ledger import Sent, send
from tests.tracking.test_recorder import counts, record, write
from tests.tracking.test_recording import PERSONAL, Model, Scene, check, check_order

from soapstone.accounts.account import Account
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, delivery_activities, event_counters, mail_events
from soapstone.tracking import act_plans
from soapstone.tracking import recorder as recorder_module
from soapstone.tracking.act_batch import Act, AnonymousAct
from soapstone.tracking.act_plans import ActPlan, ActPlans, OutdatedPlan
from soapstone.tracking.recorder import Recorder
from soapstone.tracking.recording import record_acts
from soapstone.vocabulary.tracking import MailEventKind as Kind


@pytest.fixture
def sent(database: Database, account: Account) -> Sent:
    return send(database, account, 20, links=5)


def planned(database: Database, plans: ActPlans, acts: Sequence[Act | AnonymousAct]) -> ActPlan | None:
    with database.read() as connection:
        return plans.plan(connection, acts)


def stored(database: Database, acts: Sequence[Act | AnonymousAct], plan: ActPlan | None = None) -> datetime:
    with database.write() as connection:
        return record_acts(connection, acts, plan)


@pytest.mark.parametrize("size", [1, 20, 700])
def test_plans_ahead_make_what_acts_make(database: Database, size: int) -> None:
    scene, dice, plans, dates = Scene(database), random.Random(size), ActPlans(), []
    model, kinds = Model(scene.sends, scene.strangers), (*PERSONAL, Kind.MACHINE_OPEN, Kind.MACHINE_CLICK)
    waiting: list[tuple[list[Act | AnonymousAct], ActPlan | None]] = []
    for number in range(12):
        acts = [scene.act(dice.choice(kinds), dice.randint(0, 11), dice.randint(1, 3)) for _ in range(size)]
        model.batch(number, acts, {each.job_id: each for each in scene.sends})
        # Two of them wait, so that events repeat some whose date is not known yet.
        waiting.append((acts, planned(database, plans, acts)))
        while len(waiting) > (2 if number < 11 else 0):
            of, plan = waiting.pop(0)
            assert plan is not None
            dates.append(stored(database, of, plan))
    check(database, model, dates)
    check_order(database)


def test_nothing_of_an_outdated_plan_is_stored(database: Database, sent: Sent) -> None:
    click = Act(Kind.CLICK, sent.mails[0], sent.links[1])
    stored(database, [Act(Kind.OPEN, sent.mails[0])])
    for theirs in (Kind.OPEN, Kind.READ, Kind.CLICK):
        plans = ActPlans()
        first, second = (planned(database, plans, [click]) for _ in range(2))
        stored(database, [Act(theirs, sent.mails[0])])
        before = contents(database)
        for plan in (first, second):
            with pytest.raises(OutdatedPlan):
                stored(database, [click], plan)
        assert contents(database) == before
        # Others record acts of these mails, so it plans none for some time.
        assert [planned(database, plans, [click]) for _ in range(act_plans.SHY)] == [None] * act_plans.SHY
        assert planned(database, plans, [click]) is not None


def contents(database: Database) -> list[Any]:
    with database.read() as connection:
        return [connection.execute(select(each)).all() for each in (mail_events, event_counters, delivery_activities)]


def test_a_mail_that_somebody_else_recorded_first(database: Database, sent: Sent) -> None:
    opened = Act(Kind.OPEN, sent.mails[0])
    plan = planned(database, ActPlans(), [opened])
    stored(database, [opened])
    with pytest.raises(OutdatedPlan):
        stored(database, [opened], plan)
    # What programs do changes no plan.
    plan = planned(database, ActPlans(), [opened])
    stored(database, [Act(Kind.MACHINE_OPEN, sent.mails[0])])
    stored(database, [opened], plan)
    assert counts(database) == {"open": 2, "machine_open": 1}


def test_a_person_who_is_deleted_outdates_a_plan(database: Database, sent: Sent) -> None:
    acts = [Act(Kind.MACHINE_OPEN, sent.mails[0]), Act(Kind.OPEN, sent.mails[1])]
    plan = planned(database, ActPlans(), acts)
    with database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.id == sent.mails[0]).values(contact_id=None))
    with pytest.raises(OutdatedPlan):
        stored(database, acts, plan)
    stored(database, acts, planned(database, ActPlans(), acts))
    with database.read() as connection:
        found = connection.execute(select(mail_events.c.kind, mail_events.c.account_number)).all()
    assert {row.kind: row.account_number for row in found} == {"machine_open": None, "open": 1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_acts_that_another_process_records_meanwhile(
    database: Database, tmp_path: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MOST_RECORDS", 10)
    monkeypatch.setattr(act_plans, "SHY", 2)
    write(tmp_path, [record(sent, Kind.CLICK, n % 20, n % 5 + 1, ago=60, address=b"%d" % n) for n in range(200)])
    plan, planned = ActPlans.plan, [0]

    def beside(plans: ActPlans, connection: Any, acts: Any) -> ActPlan | None:
        made = plan(plans, connection, acts)
        planned[0] += made is not None
        if made is not None and planned[0] % 3:
            stored(database, [Act(Kind.OPEN, mail) for mail in sent.mails])
        return made

    monkeypatch.setattr(ActPlans, "plan", beside)
    recorder = Recorder(database, tmp_path, machine_seconds=0)
    while recorder.round():
        pass
    assert 3 < planned[0] < 20
    theirs = planned[0] - planned[0] // 3
    assert counts(database) == {"click": 200, "read": 20, "open": 20 * theirs}
    with database.read() as connection:
        activity = connection.execute(select(delivery_activities.c.opens, delivery_activities.c.clicks)).all()
    assert activity == [(theirs, 10)] * 20


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_recorder_records_each_act_once_beside_another_host(
    database: Database, tmp_path: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its plans is outdated by the time it is stored, or none is."""
    monkeypatch.setattr(recorder_module, "MOST_RECORDS", 10)
    monkeypatch.setattr(act_plans, "SHY", 2)
    acts = [record(sent, Kind.CLICK, n % 20, n % 5 + 1, ago=60, address=b"%d" % n) for n in range(200)]
    write(tmp_path, acts)
    known: list[bool] = []

    def beside(connection: Any, acts: Any, plan: Any = None) -> datetime:
        known.append(plan is not None)
        if plan is not None and len(known) % 3:
            stored(database, [Act(Kind.OPEN, mail) for mail in sent.mails])
        return record_acts(connection, acts, plan)

    monkeypatch.setattr(recorder_module, "record_acts", beside)
    recorder = Recorder(database, tmp_path, machine_seconds=0)
    while recorder.round():
        pass
    assert set(known) == {True, False}
    theirs = sum(1 for place, plan in enumerate(known, 1) if plan and place % 3)
    # Nobody's click proves an open: the other host came first.
    assert counts(database) == {"click": 200, "read": 20, "open": 20 * theirs}
    with database.read() as connection:
        clicks = connection.execute(select(delivery_activities.c.clicks)).scalars().all()
    assert clicks == [10] * 20
