"""Accounts share the worker: whoever asks for much holds up nobody who asks for little."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.jobs.conftest import wait_for

from soapstone.accounts.account import Account, Accounts
from soapstone.jobs.run import Run
from soapstone.lists.lists import Lists
from soapstone.store.database import Database

if TYPE_CHECKING:
    from tests.jobs.conftest import Office

FILE = b"a@x.com,Ann\nb@x.com,Bob\n"


class Gates:
    """Holds every import at its beginning until it is let through."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._open: set[int] = set()
        self._changed = threading.Condition()
        office.begin = self._wait

    def let_through(self, number: int) -> None:
        """Let this one through, and wait for its end."""
        with self._changed:
            self._open.add(number)
            self._changed.notify_all()
        wait_for(lambda: self._office.job(number).over)

    def begun(self, count: int) -> list[int]:
        """The first so many that were begun, when they were; nobody else was begun then."""
        wait_for(lambda: len(self._office.begun) >= count)
        assert len(self._office.begun) == count
        return self._office.begun

    def open_all(self) -> None:
        """Let everybody through."""
        with self._changed:
            self._open |= {job.id for job in self._office.all()}
            self._changed.notify_all()

    def _wait(self, run: Run) -> None:
        with self._changed:
            self._changed.wait_for(lambda: run.job.id in self._open, timeout=30)


@pytest.fixture
def gates(office: Office) -> Gates:
    return Gates(office)


def customer(database: Database, name: str) -> Account:
    return Accounts(database).create(name, time_zone="UTC")


def queue(office: Office, owner: Account, count: int) -> list[int]:
    """So many imports of one account, each into a list of its own."""
    lists = Lists(office.database)
    return [office.submit(owner, lists.create(owner.id, f"list {number}"), FILE) for number in range(count)]


@pytest.mark.parametrize("slots", [2, 4])
def test_the_next_free_slot_goes_to_the_account_with_the_fewest_running(
    office: Office, gates: Gates, database: Database, slots: int
) -> None:
    many = queue(office, customer(database, "MANY"), 20)
    with office.working(slots=slots):
        assert sorted(gates.begun(slots)) == many[:slots]
        (one,) = queue(office, customer(database, "ONE"), 1)
        gates.let_through(many[0])
        assert gates.begun(slots + 1)[-1] == one
        gates.open_all()
        wait_for(lambda: all(job.over for job in office.all()))
    assert [job.state for job in office.all()] == ["completed"] * 21
    assert [sum(job.counters.values()) for job in office.all()] == [2] * 21


def test_accounts_that_ask_for_much_share_the_slots(office: Office, gates: Gates, database: Database) -> None:
    first, second = (queue(office, customer(database, name), 6) for name in ("FIRST", "SECOND"))
    with office.working(slots=4):
        assert sorted(gates.begun(4)) == sorted(first[:2] + second[:2])
        # Of whom one ends, of him the next one begins.
        gates.let_through(second[0])
        assert gates.begun(5)[-1] == second[2]
        gates.let_through(first[1])
        assert gates.begun(6)[-1] == first[2]
        gates.open_all()
        wait_for(lambda: all(job.over for job in office.all()))
    assert [job.state for job in office.all()] == ["completed"] * 12


def test_a_long_queue_for_one_list_takes_one_slot(office: Office, gates: Gates, database: Database) -> None:
    owner = customer(database, "ACME")
    here = Lists(database).create(owner.id, "News")
    queued = [office.submit(owner, here, FILE) for _ in range(20)]
    others = queue(office, owner, 1)
    with office.working(slots=2):
        assert sorted(gates.begun(2)) == [queued[0], *others]
        gates.open_all()
        wait_for(lambda: all(job.over for job in office.all()))
    assert [number for number in office.begun if number != others[0]] == queued


@pytest.mark.parametrize("slots", [1, 2])
def test_as_many_busy_accounts_as_slots_hold_up_nobody_else(
    office: Office, gates: Gates, database: Database, slots: int
) -> None:
    """When accounts have equally few running, the one that was served longest ago comes first."""
    busy = [queue(office, customer(database, f"BUSY {number}"), 10) for number in range(slots)]
    with office.working(slots=slots):
        assert sorted(gates.begun(slots)) == [numbers[0] for numbers in busy]
        (one,) = queue(office, customer(database, "ONE"), 1)
        gates.let_through(busy[0][0])
        assert gates.begun(slots + 1)[-1] == one
        gates.open_all()
        wait_for(lambda: all(job.over for job in office.all()))
