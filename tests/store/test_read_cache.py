"""What was read is given again until the next commit of anybody, and never after it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

from soapstone.accounts.account import Account, Accounts
from soapstone.store.database import Database
from soapstone.store.read_cache import MOST_VALUES


def counted(value: object) -> tuple[Callable[[], object], list[None]]:
    """A reader of that value, and a list that grows whenever it reads."""
    readings: list[None] = []

    def read() -> object:
        readings.append(None)
        return value

    return read, readings


def test_a_value_is_read_once_until_a_commit(database: Database) -> None:
    read, readings = counted("value")
    for _ in range(3):
        assert database.recall("key", read) == "value"
    assert len(readings) == (1 if database.kind == "sqlite" else 3)
    del readings[:]
    Accounts(database).create("ONE", time_zone="UTC")
    assert database.recall("key", read) == "value"
    assert len(readings) == 1


def test_a_commit_of_another_process_is_noticed(database: Database, account: Account) -> None:
    if database.path is None:
        return
    accounts = Accounts(database)
    assert accounts.get(account.id) == account
    rename = f"c.execute(\"UPDATE account SET name = 'OTHER' WHERE id = {account.id}\")"
    script = f"import sqlite3; c = sqlite3.connect({str(database.path)!r}); {rename}; c.commit()"
    subprocess.run([sys.executable, "-c", script], check=True)
    found = accounts.get(account.id)
    assert found is not None
    assert found.name == "OTHER"


def test_a_commit_during_the_reading_is_noticed(database: Database) -> None:
    read, readings = counted("value")

    def slow() -> object:
        value = read()
        Accounts(database).create("MEANWHILE", time_zone="UTC")
        return value

    database.recall("key", slow)
    database.recall("key", read)
    assert len(readings) == 2


def test_what_is_not_there_is_looked_for_again(database: Database) -> None:
    read, readings = counted(None)
    for _ in range(2):
        assert database.recall("key", read) is None
    assert len(readings) == 2


def test_the_memory_is_bounded(database: Database) -> None:
    if database.path is None:
        return
    first, readings = counted("value")
    database.recall("first", first)
    for number in range(MOST_VALUES):
        database.recall(number, lambda: "other")
    database.recall("first", first)
    assert len(readings) == 2


def test_no_thread_sees_an_old_value_after_its_own_commit(database: Database) -> None:
    """Many at once; each creates an account and must find it among those of its parent at once."""
    accounts = Accounts(database)
    parent = accounts.create("PARENT", time_zone="UTC")
    failures: list[object] = []

    def work(number: int) -> None:
        for turn in range(5):
            name = f"CHILD-{number}-{turn}"
            accounts.create(name, time_zone="UTC", parent="PARENT")
            if accounts.reached(parent.id, name) is None:
                failures.append(name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_nothing_is_remembered_after_closing(database: Database) -> None:
    read, readings = counted("value")
    database.recall("key", read)
    database.close()
    database.recall("key", read)
    database.close()
    assert len(readings) == 2
