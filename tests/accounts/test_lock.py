"""The lock (lk-13): what is counted, for which addresses it holds, and that it holds with the disk full."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from soapstone.accounts import logon as logon_module
from soapstone.accounts import passwords
from soapstone.accounts.account import Account, Accounts
from soapstone.accounts.logon import InvalidLogonError, LoginLockedError, Logons, LogonsBusyError
from soapstone.accounts.passwords import LONGEST_PASSWORD
from soapstone.clock import clock, now
from soapstone.errors import InvalidError
from soapstone.store.database import Database
from soapstone.store.tables import login_addresses, logon_failures

HOME, OFFICE, STRANGE = "192.0.2.1", "192.0.2.2", "198.51.100.7"
PROXY = "203.0.113.1"


@pytest.fixture
def logons(database: Database, account: Account) -> Logons:
    for name in ("ann", "bob"):
        Accounts(database).add_login(account, name, "secret")
    return Logons(database, proxies=["203.0.113.0/24"])


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords of which hashes were computed."""
    found: list[str] = []
    real = passwords._verify

    def verify(stored: str | None, password: str) -> bool:
        found.append(password)
        return real(stored, password)

    monkeypatch.setattr(passwords, "_verify", verify)
    return found


def result(logons: Logons, name: str, password: str, peer: str | None) -> str:
    try:
        logons.identify(name, password, peer)
    except (InvalidLogonError, LoginLockedError, LogonsBusyError) as refusal:
        return type(refusal).__name__
    return "in"


def guess(logons: Logons, name: str, peer: str | None, times: int = 10) -> list[str]:
    return [result(logons, name, f"wrong {number}", peer) for number in range(times)]


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(logon_failures)).scalar_one()


def at_once(calls: int, call: Callable[[int], str]) -> Counter[str]:
    """What a number of calls give that begin together."""
    gate = threading.Barrier(calls)

    def one(number: int) -> str:
        gate.wait()
        return call(number)

    with ThreadPoolExecutor(calls) as threads:
        return Counter(threads.map(one, range(calls)))


@pytest.mark.parametrize("processes", [1, 2])
def test_lk_13_of_49_guesses_at_once_at_most_10_are_looked_at(
    database: Database, logons: Logons, hashed: list[str], processes: int
) -> None:
    """Also when several web processes share one database."""
    each = [logons, Logons(database)][:processes]
    found = at_once(49, lambda number: result(each[number % processes], "ann", f"wrong {number}", STRANGE))
    found += Counter(guess(logons, "ann", STRANGE, 12))
    assert len(hashed) == found["InvalidLogonError"] == 10
    assert found["in"] == 0
    assert result(logons, "ann", "secret", STRANGE) == "LoginLockedError"


def test_lk_13_the_same_wrong_pair_at_once_counts_each_time(logons: Logons, hashed: list[str]) -> None:
    found = at_once(20, lambda _: result(logons, "ann", "wrong", STRANGE))
    assert found["InvalidLogonError"] == 10
    assert found["LoginLockedError"] + found["LogonsBusyError"] == 10
    assert len(hashed) <= 10


def test_a_client_that_begins_with_many_connections_is_not_locked(
    database: Database, logons: Logons, hashed: list[str]
) -> None:
    assert at_once(30, lambda _: result(logons, "ann", "secret", STRANGE)) == {"in": 30}
    assert len(hashed) == 1
    assert rows(database) == 0


def test_lk_13_a_lock_does_not_hold_where_the_login_has_come_in(logons: Logons) -> None:
    assert result(logons, "ann", "secret", HOME) == "in"
    guess(logons, "ann", STRANGE)
    for peer in (STRANGE, OFFICE, PROXY, None):
        assert result(logons, "ann", "secret", peer) == "LoginLockedError"
    assert result(logons, "ann", "secret", HOME) == "in"
    assert result(logons, "ANN", "secret", f"::ffff:{HOME}") == "in"
    assert result(logons, "bob", "secret", HOME) == "in"


def test_lk_13_a_known_address_has_a_count_of_its_own(logons: Logons) -> None:
    for peer in (HOME, OFFICE):
        assert result(logons, "ann", "secret", peer) == "in"
    assert guess(logons, "ann", HOME, 11) == ["InvalidLogonError"] * 10 + ["LoginLockedError"]
    assert result(logons, "ann", "secret", HOME) == "LoginLockedError"
    for peer in (OFFICE, STRANGE):
        assert result(logons, "ann", "secret", peer) == "in"


def test_lk_13_an_address_is_known_for_30_days(database: Database, account: Account, logons: Logons) -> None:
    assert result(logons, "ann", "secret", HOME) == "in"
    for days, expected in ((29, "in"), (31, "LoginLockedError")):
        with clock(_later(days=days)):
            fresh = Logons(database)
            guess(fresh, "ann", STRANGE)
            with database.write() as connection:
                connection.execute(update(login_addresses).values(last_used_at=now() - timedelta(days=days)))
            assert result(fresh, "ann", "secret", HOME) == expected
    with clock(_later(days=40)):
        logons.sweep()
    with database.read() as connection:
        assert connection.execute(select(login_addresses)).all() == []


def _later(**time: float) -> Callable[[], datetime]:
    moment = now() + timedelta(**time)
    return lambda: moment


def test_lk_13_an_address_is_kept_as_a_digest_and_written_once_a_day(database: Database, logons: Logons) -> None:
    def written() -> list[tuple[str, object]]:
        with database.read() as connection:
            return [(row.address_key, row.last_used_at) for row in connection.execute(select(login_addresses))]

    assert result(logons, "ann", "secret", HOME) == "in"
    ((key, at),) = written()
    assert len(key) == 64
    assert HOME not in key
    for hours, same in ((1, True), (23, True), (25, False)):
        with clock(_later(hours=hours)):
            assert result(logons, "ann", "secret", HOME) == "in"
        assert (written() == [(key, at)]) is same
    assert len(written()) == 1
    assert result(logons, "ann", "secret", PROXY) == result(logons, "ann", "secret", None) == "in"
    assert len(written()) == 1


def test_a_remembered_pair_costs_no_hash_and_no_write(
    database: Database, logons: Logons, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert result(logons, "ann", "secret", HOME) == "in"

    def refuse(**_: object) -> None:
        raise AssertionError("a poll writes")

    monkeypatch.setattr(database, "write", refuse)
    for peer in (HOME, None, PROXY):
        assert result(logons, "ann", "secret", peer) == "in"
    assert hashed == ["secret"]


@pytest.mark.parametrize(
    ("peers", "other"),
    [((STRANGE,), OFFICE), (("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), "2001:db8:1:3::1")],
)
def test_lk_13_100_failures_lock_an_address_for_all_names(logons: Logons, peers: tuple[str, ...], other: str) -> None:
    """Of IPv6 a whole /64 counts as one address."""
    assert result(logons, "ann", "secret", peers[0]) == "in"
    for number in range(100):
        assert result(logons, f"name {number}", "wrong", peers[number % len(peers)]) == "InvalidLogonError"
    for peer in peers:
        assert result(logons, "name 100", "wrong", peer) == "LoginLockedError"
        assert result(logons, "ann", "secret", peer) == "LoginLockedError"
    assert result(logons, "ann", "secret", other) == "in"


def test_lk_13_a_trusted_proxy_is_no_address(database: Database, logons: Logons) -> None:
    for number in range(101):
        assert result(logons, f"name {number}", "wrong", PROXY) == "InvalidLogonError"
    assert result(logons, "ann", "secret", PROXY) == "in"
    with database.read() as connection:
        assert connection.execute(select(login_addresses)).all() == []


def test_names_of_failures_are_stored_as_digests_and_for_minutes(database: Database, logons: Logons) -> None:
    """Nothing that grows with what a stranger sends is kept, and old rows go with the next logon of any name."""
    for number in range(5):
        assert result(logons, f"{number}" * (4 << 20), "wrong", STRANGE) == "InvalidLogonError"
    with database.read() as connection:
        assert {len(key) for key in connection.execute(select(logon_failures.c.count_key)).scalars()} == {64}
    with clock(_later(days=1)):
        assert result(logons, "ann", "secret", None) == "in"
    assert rows(database) == 0


@pytest.mark.parametrize("name", ["nul\0", "\0", "half \ud83d", "x" * 5000])
def test_names_that_no_database_holds_are_wrong_names(logons: Logons, name: str) -> None:
    assert guess(logons, name, STRANGE, 11) == ["InvalidLogonError"] * 10 + ["LoginLockedError"]


def test_long_passwords_are_wrong_without_a_hash(database: Database, logons: Logons, hashed: list[str]) -> None:
    accounts = Accounts(database)
    with pytest.raises(InvalidError, match="1000 characters"):
        accounts.set_password("ann", "x" * (LONGEST_PASSWORD + 1))
    accounts.set_password("ann", "€" * LONGEST_PASSWORD)
    assert result(logons, "ann", "€" * (LONGEST_PASSWORD + 1), STRANGE) == "InvalidLogonError"
    assert hashed == []
    assert rows(database) == 2
    assert result(logons, "ann", "€" * LONGEST_PASSWORD, STRANGE) == "in"


def test_a_password_may_hold_any_character(database: Database, logons: Logons) -> None:
    Accounts(database).set_password("ann", "a\0b\ud83d")
    assert result(logons, "ann", "a\0b\ud83d", None) == "in"
    assert result(logons, "ann", "a", None) == "InvalidLogonError"


# --- the hashing queue ---


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hashes of wrong passwords take until the event is set."""
    go = threading.Event()
    real = passwords._verify

    def verify(stored: str | None, password: str) -> bool:
        if password.startswith("wrong"):
            assert go.wait(30)
        return real(stored, password)

    monkeypatch.setattr(passwords, "_verify", verify)
    yield go
    go.set()


def test_guessers_beyond_the_queue_are_refused_at_once(
    database: Database, logons: Logons, stuck: threading.Event
) -> None:
    """Callers whose pair is remembered wait for nothing, and a refusal because of the queue is no failure."""
    assert result(logons, "ann", "secret", HOME) == "in"
    with ThreadPoolExecutor(20) as threads:
        guesses = [
            threads.submit(result, logons, f"name {number}", f"wrong {number}", f"192.0.2.{100 + number}")
            for number in range(20)
        ]
        refused = 20 - logon_module.MOST_WAITING
        while sum(each.done() for each in guesses) < refused:
            threading.Event().wait(0.01)
        assert {each.result() for each in guesses if each.done()} == {"LogonsBusyError"}
        assert result(logons, "bob", "secret", STRANGE) == "LogonsBusyError"
        assert result(logons, "ann", "secret", HOME) == "in"
        stuck.set()
        assert Counter(each.result() for each in guesses) == {
            "LogonsBusyError": refused,
            "InvalidLogonError": logon_module.MOST_WAITING,
        }
    assert rows(database) == 2 * logon_module.MOST_WAITING
    assert result(logons, "bob", "secret", STRANGE) == "in"


def test_known_addresses_wait_in_the_queue(database: Database, logons: Logons, stuck: threading.Event) -> None:
    assert result(logons, "ann", "secret", HOME) == "in"
    # A new start: nothing is remembered.
    logons = Logons(database)
    with ThreadPoolExecutor(20) as threads:
        guesses = [
            threads.submit(result, logons, f"name {number}", f"wrong {number}", f"192.0.2.{100 + number}")
            for number in range(logon_module.MOST_WAITING)
        ]
        while logons._waiting < logon_module.MOST_WAITING:
            threading.Event().wait(0.01)
        assert result(logons, "bob", "secret", STRANGE) == "LogonsBusyError"
        waiting = threads.submit(result, logons, "ann", "secret", HOME)
        stuck.set()
        assert waiting.result() == "in"
        assert {each.result() for each in guesses} == {"InvalidLogonError"}


# --- no room to write ---


@contextmanager
def unwritable(database: Database) -> Iterator[None]:
    """A database that takes no more: a full SQLite file, a PostgreSQL server that is read-only."""
    if database.kind == "postgresql":
        name = database.url.database
        with database.write() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        database.engine.dispose()
        yield
        return

    def limit(connection: object, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # type: ignore[attr-defined]

    # Fill the pages that are there: rows of failures that have not aged.
    event.listen(database.engine, "connect", limit)
    database.engine.dispose()
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with pytest.raises(sqlite3.OperationalError, match="full"):
            _fill(driver)
    yield
    event.remove(database.engine, "connect", limit)


def _fill(driver: Any) -> None:
    for number in range(10_000):
        values = (f"{number:064}" * 20, 1 << 62)
        driver.execute("INSERT INTO logon_failure (count_key, failed_at) VALUES (?, ?)", values)


def test_the_lock_holds_with_the_disk_full(database: Database, logons: Logons, hashed: list[str]) -> None:
    """lk-13: failures are counted in memory then, and the answers are the usual ones."""
    guess(logons, "ann", STRANGE, 4)
    with unwritable(database):
        found = at_once(20, lambda number: result(logons, "ann", f"other {number}", STRANGE))
        assert found["InvalidLogonError"] + found["LogonsBusyError"] + found["LoginLockedError"] == 20
        assert len(hashed) == 4 + found["InvalidLogonError"]
        guess(logons, "ann", STRANGE)
        assert len(hashed) == 10
        assert result(logons, "ann", "secret", STRANGE) == "LoginLockedError"
        assert result(logons, "bob", "secret", HOME) == "in"
        assert guess(logons, "bob", HOME, 11) == ["InvalidLogonError"] * 10 + ["LoginLockedError"]
        assert result(logons, "bob", "secret", STRANGE) == "in"
        with clock(_later(days=1)):
            assert result(logons, "ann", "secret", STRANGE) == "in"


def test_the_first_logon_ever_works_with_the_disk_full(database: Database, logons: Logons) -> None:
    """The key of the digests is not stored yet."""
    with unwritable(database):
        assert result(logons, "ann", "secret", HOME) == "in"
        assert guess(logons, "ann", STRANGE, 11) == ["InvalidLogonError"] * 10 + ["LoginLockedError"]
        assert result(logons, "ann", "secret", HOME) == "in"
