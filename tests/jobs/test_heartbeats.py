"""Heartbeats: the records tell which workers live."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import DBAPIError

from soapstone.clock import clock
from soapstone.jobs import heartbeats
from soapstone.jobs.heartbeats import KEPT, LIVES, Heartbeats
from soapstone.jobs.worker import Worker
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import workers


def age(database: Database, worker: str, by: timedelta) -> None:
    """Let a worker's last heartbeat be older."""
    with database.write() as connection:
        at = connection.execute(select(workers.c.beat_at).where(workers.c.name == worker)).scalar_one()
        connection.execute(update(workers).where(workers.c.name == worker).values(beat_at=at - by))


def test_a_worker_beats_while_it_lives_and_is_gone_when_it_ends(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "PAUSE", 0.02)
    told, worker = Heartbeats(database), Worker(database, blobs, {"count": lambda run: None}, idle=0.01)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        end = time.monotonic() + 30
        while not any(each.at > each.began_at for each in told.all()):
            assert time.monotonic() < end, "no second heartbeat comes"
            time.sleep(0.01)
        (heartbeat,) = told.all()
        assert (heartbeat.worker, heartbeat.alive) == (worker.name, True)
    finally:
        worker.stop()
        thread.join()
    assert told.all() == []


def test_a_worker_counts_as_dead_after_a_minute_and_is_forgotten_after_an_hour(database: Database) -> None:
    told = Heartbeats(database)
    told.begin("one")
    told.beat("two")
    age(database, "one", LIVES)
    assert [(each.worker, each.alive) for each in told.all()] == [("two", True), ("one", False)]
    told.beat("one")
    assert {each.alive for each in told.all()} == {True}
    age(database, "one", KEPT)
    told.beat("two")
    assert [each.worker for each in told.all()] == ["two"]
    told.end("two")
    assert told.all() == []


def test_the_only_worker_of_a_file_forgets_those_before_it(database: Database) -> None:
    told = Heartbeats(database)
    told.begin("killed")
    told.begin("next")
    assert {each.worker for each in told.all()} == {"next"} | ({"killed"} if database.kind == "postgresql" else set())


def test_clocks_of_machines_need_not_agree(database: Database) -> None:
    told = Heartbeats(database)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    if database.kind == "postgresql":
        # A machine whose clock is wrong by an hour: the server's counts.
        with clock(lambda: an_hour_ago):
            told.begin("late")
        assert [each.alive for each in told.all()] == [True]
        return
    # The one machine of a SQLite file sets its clock back: a dead worker does not seem to live for an hour.
    told.begin("dead")
    with clock(lambda: an_hour_ago):
        assert [each.alive for each in told.all()] == [False]


def test_work_goes_on_when_heartbeats_cannot_be_stored(
    database: Database, blobs: Blobs, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT INTO worker", "UPDATE worker")):
            raise DBAPIError(statement, None, OSError("refused"))

    event.listen(database.engine, "before_cursor_execute", refuse)
    turns: list[int] = []

    def enough() -> bool:
        turns.append(1)
        return len(turns) > 3

    Worker(database, blobs, {"count": lambda run: None}, idle=0.01).run(until=enough)
    assert sum("a heartbeat of the worker could not be stored" in record.message for record in caplog.records) == 1
