"""Hundreds of sends in a simulated world, each with troubles of its own: `model/verdict.py` says what must hold.

A seed that breaks a rule prints the command that runs it alone. `make soak` runs ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sending.model.plan import Disturbance, Moment, plan
from tests.sending.model.replay import report, tried, workshop
from tests.sending.model.trial import Trial

from soapstone.sending.final_check import Checked, FinalCheck
from soapstone.sending.smtp import client, connection, journal
from soapstone.sending.smtp.replies import Stage, Verdict, classify
from soapstone.store.database import Database

SEEDS = 300
BATCH = 15
# Within so many seeds a broken rule must show.
SOON = 80

Running = Callable[..., tuple[Trial, list[str]]]


@pytest.fixture
def run(sqlite_template: Path) -> Iterator[Running]:
    """Runs a seed."""
    with workshop(sqlite_template) as running:
        yield running


@pytest.mark.parametrize("first", range(1, SEEDS + 1, BATCH))
def test_sends_keep_the_rules(run: Running, first: int) -> None:
    wrong = []
    for seed in range(first, first + BATCH):
        trial, found = run(seed)
        if found:
            wrong.append(report(trial, found))
    assert wrong == [], "\n\n".join(wrong)


@pytest.mark.parametrize("seed", range(1, 7))
def test_sends_keep_the_rules_on_both_databases(database: Database, tmp_path: Path, seed: int) -> None:
    trial, found = tried(seed, database, tmp_path)
    assert found == [], report(trial, found)


def test_a_seed_tells_the_same_story_each_time(run: Running) -> None:
    for seed in range(1, 11):
        first, second = run(seed)[0], run(seed)[0]
        assert first.world.story() == second.world.story()
        assert [tuple(row) for row in first.rows()] == [tuple(row) for row in second.rows()]


def test_a_send_that_is_killed_and_cancelled_leaves_no_mail_on_its_way(run: Running) -> None:
    quiet = replace(plan(1).manners, troubles={}, noise=0.0, slow=0.0, mails=0, sizes=frozenset(), oddities=frozenset())
    for point in range(12, 28, 3):
        ends = (Disturbance(moment=Moment(point=point), what=what) for what in ("kill", "cancel"))
        trial, found = run(1, replace(plan(1), people=4, kind="list", manners=quiet, disturbances=tuple(ends)))
        assert found == [], report(trial, found)
        assert trial.job.state in ("cancelled", "completed")


def test_a_mail_that_began_before_the_sender_was_refused_says_nothing_of_the_sender(run: Running) -> None:
    """Its reply came after the refusal, so the next refusal seemed to be the first, and failed a second recipient."""
    trial, found = run(60159)
    assert found == [], report(trial, found)
    assert "refuses to work" in trial.failures[0][1]


def _without_final_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FinalCheck, "settle", lambda *_: Checked())


def _without_pauses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(client, "LONGEST_PAUSE", 0.01)
    patch.setattr(client, "FIRST_PAUSE", 0.01)


def _without_intents(patch: pytest.MonkeyPatch) -> None:
    def read(data: bytes) -> Iterator[tuple[int, journal.Heard | None]]:
        return ((number, heard) for number, heard in read_journal(data) if heard is not None)

    read_journal = journal.read
    patch.setattr(journal, "read", read)


def _read(stage: Stage, codes: range, verdict: Verdict, *, lost: bool = False) -> Callable[[pytest.MonkeyPatch], None]:
    """Replies with these codes, or lost ones, are read wrongly at a stage."""

    def wrongly(code: int | None, enhanced_code: str, at: Stage) -> Verdict:
        hit = at is stage and (code in codes if code is not None else lost)
        return verdict if hit else classify(code, enhanced_code, at)

    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(connection, "classify", wrongly)

    return apply


NONE = range(0)
# What is broken → the number of the rule by which it shows, and how.
MUTATIONS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "no recipient is checked again": ("1", _without_final_check),
    "a mail with an intent and no reply was not sent": ("5", _without_intents),
    "no pause after a refusal": ("2", _without_pauses),
    "421 at RCPT says nothing of the mail": ("5", _read(Stage.RCPT, range(421, 422), Verdict.BUSY)),
    "4xx at MAIL is about the recipient": ("5", _read(Stage.MAIL, range(400, 500), Verdict.DEFERRED)),
    "5xx at MAIL is about the recipient": ("5", _read(Stage.MAIL, range(500, 600), Verdict.FAILED)),
    "only 250 is a success": ("5", _read(Stage.CONTENT, range(251, 300), Verdict.DEFERRED)),
    "a mail without an answer was not sent": ("5", _read(Stage.CONTENT, NONE, Verdict.DEFERRED, lost=True)),
    "a mail without an answer has arrived": ("5", _read(Stage.CONTENT, NONE, Verdict.ACCEPTED, lost=True)),
    "4xx at RCPT is final": ("5", _read(Stage.RCPT, range(400, 500), Verdict.FAILED)),
    "4xx at MAIL stops the send": ("3", _read(Stage.MAIL, range(400, 500), Verdict.REFUSES_WORK)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_rule_shows(run: Running, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, apply = MUTATIONS[name]
    apply(monkeypatch)
    assert any(each.startswith(f"{rule}:") for seed in range(1, SOON + 1) for each in run(seed)[1])
