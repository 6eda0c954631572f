"""A send that is killed at any moment and goes on later mails everybody exactly once (lk-90)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.sending.folder.conftest import BucketOffice

from soapstone.jobs.run import Chunk, LeaseLost, Run
from soapstone.sending import selection
from soapstone.sending.folder import delivery as folder_delivery

LEASE = timedelta(minutes=1)
PEOPLE = 4


class Killed(BaseException):
    """Ends a run as SIGKILL does: nothing of ours catches it."""


class FragileRun(Run):
    """A run that is killed at its n-th commit: before the chunk, within it (work done, commit lost), or after it."""

    commits = 0
    n = 0
    moment = ""
    strike: Callable[[], None]

    @contextmanager
    def chunk(self, **how: bool) -> Iterator[Chunk]:
        self.commits += 1
        mine = self.commits == self.n
        if mine and self.moment == "before":
            self.strike()
        with super().chunk(**how) as chunk:
            yield chunk
            if mine and self.moment == "within":
                self.strike()
        if mine and self.moment == "after":
            self.strike()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "CHOOSE_ROWS", 2)
    for size in ("BUILD_MAILS", "SEND_MAILS"):
        monkeypatch.setattr(folder_delivery, size, 2)


def claim(office: Any) -> FragileRun:
    """The next attempt at the only job that is not over."""
    office.jobs.expire_leases()
    job = office.jobs.claim("test", sorted(office.sender.runners), LEASE)
    assert job is not None
    return FragileRun(office.database, office.blobs, job, lease=LEASE, stopping=lambda: False)


def go_on(office: Any) -> None:
    """Another worker finds that the one before is dead; it may be on another host."""
    if isinstance(office, BucketOffice):
        office.change_host()
    office.jobs.expire_leases()
    office.work()


def kill() -> None:
    raise Killed


def submit(office: Any, kind: str) -> Any:
    if kind == "send_to_list":
        return office.to_list(subject="{{ First_Name }}", html="<p>{{ Email }}</p>")
    rows = "".join(f"{name}{n}@example.com,{n}\n" for n in range(PEOPLE) for name in ("p", "bad@@"))
    return office.to_file(f"EmailAddress,First_Name\n{rows}", subject="{{ First_Name }}", html="<p>{{ Email }}</p>")


def outcome(office: Any, ticket: Any) -> tuple[Any, ...]:
    """What a send came to: ledger, counters, and the mails with their content but for number and date."""
    job = office.job(ticket)
    assert (job.state, job.step) == ("completed", job.steps)
    assert office.left_over() == []
    paths = sorted(office.mail.glob(f"{ticket.job.id:08d}-*.eml"))
    mails = office.mails()
    assert len(paths) == len(mails)
    assert [path.name for path in paths] == [
        f"{ticket.job.id:08d}-{row.id:010d}.eml" for row in office.rows(ticket) if row.state == "handed"
    ]
    for path in paths:
        path.unlink()
    content = {address: (str(mail["Subject"]), mail.get_body().get_content()) for address, mail in mails.items()}
    return office.ledger(ticket), job.counters, content


@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("kind", ["send_to_list", "send_to_file"])
def test_killed_at_any_commit(any_office: Any, kind: str, moment: str) -> None:
    office = any_office
    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com", first_name=str(number))
    undisturbed = submit(office, kind)
    office.work()
    expected = outcome(office, undisturbed)
    commits = 0
    for n in range(1, 100):
        ticket = submit(office, kind)
        run = claim(office)
        run.n, run.moment, run.strike = n, moment, kill
        try:
            office.sender.runners[kind](run)
        except Killed:
            commits = n
        else:
            # That many commits there are not.
            assert run.commits < n
            run.complete()
            break
        steps = office.job(ticket).step
        go_on(office)
        assert outcome(office, ticket) == expected, f"killed {moment} commit {n}"
        assert office.job(ticket).step >= steps
        events = [event.step for event in office.jobs.events(ticket.job.id)]
        assert events == sorted(events)
    assert commits >= 8


def test_killed_again_and_again(any_office: Any) -> None:
    office = any_office
    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = submit(office, "send_to_list")
    attempts = 0
    while attempts < 100:
        attempts += 1
        run = claim(office)
        # Each attempt gets one commit done and dies within the next.
        run.n, run.moment, run.strike = 2, "within", kill
        try:
            office.sender.run_list(run)
        except Killed:
            if isinstance(office, BucketOffice):
                office.change_host()
            continue
        run.complete()
        break
    assert attempts >= 7
    assert len(outcome(office, ticket)[2]) == PEOPLE


def test_mails_taken_out_of_the_folder_before_the_restart_are_not_sent_twice(office: Any) -> None:
    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = submit(office, "send_to_list")
    run = claim(office)
    taken: list[str] = []

    def take_and_kill() -> None:
        for path in office.mail.iterdir():
            taken.append(path.name)
            path.unlink()
        if taken:
            raise Killed

    run.n, run.moment, run.strike = 7, "within", take_and_kill
    with pytest.raises(Killed):
        office.sender.run_list(run)
    go_on(office)
    assert len(taken) == 2
    left = [path.name for path in office.mail.iterdir()]
    assert len(left) == PEOPLE - 2
    assert not set(left) & set(taken)
    assert office.job(ticket).counters["handed"] == PEOPLE


@pytest.mark.parametrize("n", range(1, 10))
def test_an_attempt_that_was_taken_over_changes_nothing_any_more(office: Any, n: int) -> None:
    """The frozen attempt wakes up when the other one is through."""
    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = submit(office, "send_to_list")
    frozen = claim(office)
    frozen.n, frozen.moment, frozen.strike = n, "before", lambda: go_on(office)
    try:
        office.sender.run_list(frozen)
    except LeaseLost:
        assert n <= frozen.commits
    else:
        assert n > frozen.commits
        frozen.complete()
    assert len(outcome(office, ticket)[2]) == PEOPLE
