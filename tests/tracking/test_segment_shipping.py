"""A web host that ends for good leaves no open or click behind: it records them, or ships them through the bucket."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore
from sqlalchemy import select
from tests.conftest import Served
from tests.postgresql import Databases
from tests.tracking.kill_trial import BROWSER
from tests.tracking.ledger import Sent, send
from tests.tracking.test_recorder import counts, fail, record, wait_until, write

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now
from soapstone.jobs.lock import WorkerLock
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.bucket import Bucket
from soapstone.store.database import Database
from soapstone.store.tables import mail_events
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking import recorder as recorder_module
from soapstone.tracking import segment_shipping
from soapstone.tracking.recorder import Recorder
from soapstone.tracking.segment_shipping import SHIPPED, fetch, ship
from soapstone.vocabulary.tracking import MailEventKind as Kind


@pytest.fixture
def sent(database: Database, account: Account) -> Sent:
    return send(database, account, 20, links=5)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The spools of two hosts."""
    made = tmp_path / "one", tmp_path / "two"
    for each in made:
        each.mkdir()
    return made


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(MemoryStore())


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if each.name != "recorder.lock")


def keys(bucket: Bucket) -> list[str]:
    return sorted(each.key for each in bucket.list("spool/"))


def refuse(*_: object, **__: object) -> None:
    raise GenericError("a bucket that is away")


def run_once(recorder: Recorder, patience: float = 0.5) -> None:
    """Run until nothing is left to record, or the patience is over."""
    with recorder.running(patience=patience):
        pass


def test_what_cannot_be_recorded_in_time_is_recorded_elsewhere(
    database: Database, folders: tuple[Path, Path], sent: Sent, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away when a host ends; a part of a segment is recorded already."""
    here, there = folders
    acts = [record(sent, Kind.OPEN, mail, ago=60) for mail in range(10)]
    path = write(here, acts[:4])
    half = Recorder(database, here, machine_seconds=5, bucket=bucket)
    half.round()
    assert counts(database) == {"open": 4}
    half.close()
    with path.open("ab") as file:
        for act in acts[4:]:
            file.write(act.encoded())
    write(here, [record(sent, Kind.OPEN, 10, ago=60)], "0b" * 8 + "-00000001")
    with monkeypatch.context() as away:
        away.setattr(recorder_module, "record_acts", fail)
        run_once(Recorder(database, here, machine_seconds=5, pause=0.01, bucket=bucket))
    assert names(here) == []
    assert keys(bucket) == [f"spool/{'0a' * 8}-00000001", f"spool/{'0b' * 8}-00000001"]
    with Recorder(database, there, machine_seconds=5, pause=0.01, bucket=bucket).running():
        wait_until(lambda: counts(database) == {"open": 11})
        wait_until(lambda: names(there) == [])
    assert keys(bucket) == []


def test_a_copy_that_turns_up_later_holds_nothing_new(
    database: Database, folders: tuple[Path, Path], sent: Sent, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host dies between storing a segment in the bucket and removing it, and comes back after all."""
    here, there = folders
    write(here, [record(sent, Kind.OPEN, mail, ago=60) for mail in range(10)])
    with monkeypatch.context() as dying:
        dying.setattr(Path, "unlink", fail)
        with pytest.raises(RecordsUnavailable):
            ship(here, bucket)
    assert names(here) == [f"{'0a' * 8}-00000001{SHIPPED}"]
    assert len(keys(bucket)) == 1
    with Recorder(database, there, machine_seconds=5, pause=0.01, bucket=bucket).running():
        wait_until(lambda: counts(database) == {"open": 10} and names(there) == [])
    run_once(Recorder(database, here, machine_seconds=5, pause=0.01))
    assert counts(database) == {"open": 10}
    assert names(here) == []


def test_two_hosts_fetch_the_same(
    database: Database, folders: tuple[Path, Path], sent: Sent, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = folders
    write(here, [record(sent, Kind.OPEN, mail, ago=60) for mail in range(10)])
    ship(here, bucket)
    with monkeypatch.context() as slow:
        slow.setattr(Bucket, "delete", lambda *_: None)
        for folder in folders:
            fetch(folder, bucket)
    fetch(here, bucket)
    assert keys(bucket) == []
    monkeypatch.setattr(recorder_module, "MOST_RECORDS", 3)
    recorders = [Recorder(database, folder, machine_seconds=5) for folder in folders]
    # In turn, as far as the database lets each of them.
    for _ in range(20):
        for each in recorders:
            try:
                each.round()
            except Exception:
                each.close()
    assert counts(database) == {"open": 10}
    assert names(here) == names(there) == []


def test_what_is_no_segment_stays_in_the_bucket(
    folders: tuple[Path, Path], bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = folders
    wrong = ["spool/0a", "spool/0a-1/0b-2", "spool/large-1", "spool/readme.txt"]
    for key in wrong:
        bucket.put(key, b"x")
    monkeypatch.setattr(segment_shipping, "_LARGEST", 5)
    bucket.put("spool/0a-1", b"123456")
    fetch(here, bucket)
    assert names(here) == []
    assert keys(bucket) == sorted([*wrong, "spool/0a-1"])


def test_without_a_bucket_the_log_says_where_they_are(
    database: Database,
    folders: tuple[Path, Path],
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here, _ = folders
    path = write(here, [record(sent, Kind.OPEN)])
    monkeypatch.setattr(recorder_module, "record_acts", fail)
    run_once(Recorder(database, here, machine_seconds=5, pause=0.01))
    assert path.exists()
    told = [each for each in caplog.records if each.levelno == logging.ERROR and "LEFT" in each.getMessage()]
    assert [str(here) in each.getMessage() for each in told] == [True]


def test_a_bucket_that_is_away_takes_nothing(
    database: Database,
    folders: tuple[Path, Path],
    sent: Sent,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here, _ = folders
    write(here, [record(sent, Kind.OPEN, ago=60)])
    with monkeypatch.context() as away:
        away.setattr(recorder_module, "record_acts", fail)
        for request in ("put", "list"):
            away.setattr(obstore, request, refuse)
        run_once(Recorder(database, here, machine_seconds=5, pause=0.01, bucket=bucket))
    assert "ARE LEFT" in caplog.text
    run_once(Recorder(database, here, machine_seconds=5, pause=0.01, bucket=bucket))
    assert counts(database) == {"open": 1}


def test_another_process_with_the_same_folder_goes_on(
    database: Database, folders: tuple[Path, Path], sent: Sent, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = folders
    write(here, [record(sent, Kind.OPEN)])
    writing = write(here, [record(sent, Kind.OPEN, 1)], "0b" * 8 + "-00000001")
    monkeypatch.setattr(recorder_module, "record_acts", fail)
    with writing.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run_once(Recorder(database, here, machine_seconds=5, pause=0.01, bucket=bucket))
    assert len(names(here)) == 2
    assert keys(bucket) == []


# How a server is started, and which of its processes get the signal at once.
ENDS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "one process": ("serve", (), False),
    "two": ("serve", ("--web-workers", "2"), False),
    "a signal to all": ("serve", (), True),
    "no worker": ("web", (), False),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_server_that_ends_records_what_waits(postgresql_databases: Databases, tmp_path: Path, how: str) -> None:
    """Its host may be one of many, and go for good. The last clicks are still judged when the signal comes."""
    command, options, is_for_all = ENDS[how]
    with postgresql_databases.fresh() as url:
        served = Served(tmp_path / "data", database_url=url, demo=False, command=command, options=options)
        try:
            database = Database(url)
            account = Accounts(database).create("ACME", time_zone="UTC")
            sent = send(database, account, 3, links=5, handed_at=now() - timedelta(seconds=60))
            stems = Product.open(Settings(data_dir=served.data), database).stems
            folder = served.data / "spool"
            folder.mkdir(exist_ok=True)
            write(folder, [record(sent, Kind.CLICK), record(sent, Kind.OPEN, 1)])
            with httpx.Client(base_url=served.base, headers=BROWSER) as client:
                if is_for_all:
                    os.kill(served.worker(), signal.SIGTERM)
                path = f"/c/{stems.make(sent.message_id, sent.mails[2])}/1"
                assert client.get(path).status_code == 302
                served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(60) is not None
            with database.read() as connection:
                query = select(mail_events.c.kind).where(mail_events.c.delivery_id.in_(sent.mails))
                kinds = Counter(connection.execute(query).scalars())
            database.close()
            # A click shows that its mail was opened and read.
            assert kinds["click"] == 2, (kinds, names(folder), served.log())
            assert kinds["open"] == 3
        finally:
            served.stop()


def test_who_ends_waits_for_another_one_that_ends(
    database: Database, folders: tuple[Path, Path], sent: Sent, bucket: Bucket
) -> None:
    """A worker and a web process that share a folder get the signal at the same time: the worker has looked before."""
    here, _ = folders
    other = WorkerLock(here / "recorder.lock")
    assert other.acquire()
    recorder = Recorder(database, here, machine_seconds=5, pause=0.01, bucket=bucket)
    with recorder.running(patience=0.5):
        write(here, [record(sent, Kind.OPEN, ago=60)])
        threading.Timer(0.5, other.release).start()
    assert counts(database) == {"open": 1}
