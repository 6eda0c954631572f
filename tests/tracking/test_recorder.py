"""The recorder: each record of a spool counts once, whatever ends when."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from tests.tracking.ledger import Sent, send

from soapstone.accounts.account import Account
from soapstone.clock import Shift, now, shifted
from soapstone.commands.servers import _recording
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import mail_events, spool_positions
from soapstone.store.timestamps import EPOCH
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking import figures
from soapstone.tracking import recorder as recorder_module
from soapstone.tracking.recorder import Recorder
from soapstone.tracking.recording import record_acts
from soapstone.tracking.spool import SUFFIX, Spool, SpoolRecord
from soapstone.vocabulary.tracking import MailEventKind as Kind

AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"


@pytest.fixture
def sent(database: Database, account: Account) -> Sent:
    return send(database, account, 20, links=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


def moment(ago: float = 0) -> int:
    return (now() - timedelta(seconds=ago) - EPOCH) // timedelta(microseconds=1)


def record(sent: Sent, kind: Kind, mail: int = 0, position: int = 1, ago: float = 0, **parts: Any) -> SpoolRecord:
    place = position if kind is Kind.CLICK else 0
    return SpoolRecord(moment(ago), kind, sent.message_id, sent.mails[mail], place, b"198.51.100.7", AGENT)._replace(
        **parts
    )


def write(folder: Path, records: Sequence[SpoolRecord], name: str = "0a" * 8 + "-00000001", rest: bytes = b"") -> Path:
    """A segment that its writer has ended, with these bytes after the records."""
    path = folder / f"{name}{SUFFIX}"
    # A recorder that runs takes a file without a lock for a whole one.
    begun = folder / name
    begun.write_bytes(b"".join(each.encoded() for each in records) + rest)
    return begun.rename(path)


def counts(database: Database) -> Counter[str]:
    with database.read() as connection:
        return Counter(connection.execute(select(mail_events.c.kind)).scalars())


def positions(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(spool_positions)))


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_acts_become_events(database: Database, folder: Path, sent: Sent) -> None:
    acts = [record(sent, Kind.OPEN), record(sent, Kind.CLICK, 1, 2), record(sent, Kind.READ, 2)]
    write(folder, acts)
    Recorder(database, folder, machine_seconds=5).round()
    # A click proves open and read, a read an open.
    assert counts(database) == {"open": 3, "read": 2, "click": 1}
    with database.read() as connection:
        click = connection.execute(select(mail_events).where(mail_events.c.kind == "click")).one()
    assert (click.delivery_id, click.link_id) == (sent.mails[1], sent.links[2])


def test_machines_are_kept_apart(database: Database, folder: Path, sent: Sent) -> None:
    write(folder, [record(sent, Kind.OPEN, agent=b"curl/8.5.0"), record(sent, Kind.CLICK, agent=b"")])
    Recorder(database, folder, machine_seconds=5).round()
    found = figures.of_sends(database, [sent.job_id])[sent.job_id]
    assert (found.opens, found.clicks, found.machine_opens, found.machine_clicks) == (0, 0, 1, 1)


def test_without_persons_the_newest_real_send_counts(database: Database, account: Account, folder: Path) -> None:
    first = send(database, account, 1, links=2)
    second = send(database, account, 1, again=first)
    test = send(database, account, 1, again=first, is_test=True)
    acts = [record(first, kind, delivery_id=0) for kind in (Kind.OPEN, Kind.READ, Kind.CLICK)]
    write(folder, acts)
    Recorder(database, folder, machine_seconds=5).round()
    found = figures.of_sends(database, [first.job_id, second.job_id, test.job_id])
    assert (found[second.job_id].opens, found[second.job_id].clicks, found[second.job_id].clickers) == (1, 1, 0)
    assert figures.total(found.values()) == found[second.job_id]
    only = send(database, account, 1, is_test=True)
    write(folder, [record(only, Kind.OPEN, delivery_id=0)], "0b" * 8 + "-00000001")
    Recorder(database, folder, machine_seconds=5).round()
    assert figures.of_sends(database, [only.job_id])[only.job_id].opens == 1


def test_unknown_mails_links_and_messages_are_left_out(database: Database, folder: Path, sent: Sent) -> None:
    acts = [
        record(sent, Kind.OPEN, delivery_id=10**9),
        record(sent, Kind.CLICK, position=99),
        record(sent, Kind.OPEN, delivery_id=0, message_id=10**9),
        record(sent, Kind.OPEN),
    ]
    write(folder, acts)
    Recorder(database, folder, machine_seconds=5).round()
    assert counts(database) == {"open": 1}


def test_a_click_on_a_fresh_mail_waits(database: Database, account: Account, folder: Path) -> None:
    sent = send(database, account, 3, links=3, handed_at=now() - timedelta(seconds=60))
    path = write(folder, [record(sent, Kind.CLICK, position=1), record(sent, Kind.OPEN, 1)])
    recorder, shift = Recorder(database, folder, machine_seconds=5), Shift()
    recorder.round()
    assert counts(database) == {}
    # Two others come while it waits: all three are a program's.
    with path.open("ab") as file:
        for position in (2, 3):
            file.write(record(sent, Kind.CLICK, position=position).encoded())
    write(folder, [record(sent, Kind.CLICK, 2)], "0b" * 8 + "-00000001")
    recorder.close()
    recorder = Recorder(database, folder, machine_seconds=5)
    recorder.round()
    assert counts(database) == {}
    with shifted(shift):
        shift.ahead = timedelta(seconds=11)
        recorder.round()
    assert counts(database) == {"machine_click": 3, "open": 2, "read": 1, "click": 1}


def test_torn_at_every_byte(database: Database, folder: Path, sent: Sent) -> None:
    """What is whole counts, what is torn does not, and the file goes."""
    last = record(sent, Kind.OPEN, 1).encoded()
    for size in range(len(last)):
        acts = [record(sent, Kind.OPEN, 0, address=b"%d" % size, ago=60)]
        write(folder, acts, f"{size:016x}-00000001", rest=last[:size])
    recorder = Recorder(database, folder, machine_seconds=0)
    while counts(database)["open"] < len(last) or list(folder.glob(f"*{SUFFIX}")):
        recorder.round()
    recorder.round()
    assert counts(database) == {"open": len(last)}
    assert positions(database) == []


def test_a_segment_goes_when_its_writer_has_gone(database: Database, folder: Path, sent: Sent) -> None:
    path = write(folder, [record(sent, Kind.OPEN)])
    recorder, shift = Recorder(database, folder, machine_seconds=5), Shift()
    with path.open("ab") as writer, shifted(shift):
        fcntl.flock(writer, fcntl.LOCK_EX)
        recorder.round()
        assert len(positions(database)) == 1
        shift.ahead = timedelta(minutes=5)
        recorder.round()
        assert path.exists()
        writer.write(record(sent, Kind.OPEN, 1).encoded())
        writer.flush()
        recorder.round()
        assert counts(database) == {"open": 2}
    with shifted(shift):
        # Its end is kept a little, for a recorder that begins anew.
        recorder.round()
        assert path.exists()
        shift.ahead = timedelta(minutes=10)
        recorder.round()
    assert not path.exists()
    assert positions(database) == []


def test_an_empty_segment_of_a_dead_process_goes(database: Database, folder: Path) -> None:
    path = write(folder, [])
    Recorder(database, folder, machine_seconds=5).round()
    assert not path.exists()


def test_a_recorder_that_begins_anew_knows_which_images_counted(database: Database, folder: Path, sent: Sent) -> None:
    first = record(sent, Kind.OPEN, ago=8)
    path = write(folder, [first])
    Recorder(database, folder, machine_seconds=5).round()
    with path.open("ab") as file:
        file.write(first._replace(at=first.at + 5_000_000).encoded())
    Recorder(database, folder, machine_seconds=5).round()
    assert counts(database) == {"open": 1}
    with path.open("ab") as file:
        file.write(first._replace(at=first.at + 10_000_000).encoded())
    Recorder(database, folder, machine_seconds=5).round()
    assert counts(database) == {"open": 2}


def test_a_failure_leaves_all_to_the_next_round(
    database: Database, folder: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, [record(sent, Kind.OPEN)])
    recorder = Recorder(database, folder, machine_seconds=5)
    monkeypatch.setattr(recorder_module, "record_acts", fail)
    with pytest.raises(RecordsUnavailable):
        recorder.round()
    monkeypatch.undo()
    assert positions(database) == []
    recorder.close()
    recorder.round()
    recorder.round()
    assert counts(database) == {"open": 1}


def fail(*_: object) -> None:
    raise RecordsUnavailable("away")


def test_two_recorders_record_each_act_once(database: Database, folder: Path, sent: Sent) -> None:
    """Also when a file system's locks do not hold: the second one finds that the first has moved on."""
    path = write(folder, [record(sent, Kind.OPEN, mail) for mail in range(10)])
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        one, two = (Recorder(database, folder, machine_seconds=5) for _ in range(2))
        one.round()
        two.round()
        file.write(b"".join(record(sent, Kind.OPEN, mail).encoded() for mail in range(10, 20)))
        file.flush()
        two.round()
        with pytest.raises(RuntimeError, match="another recorder"):
            one.round()
        one.close()
        one.round()
    assert counts(database) == {"open": 20}


def test_it_goes_on_after_failures_and_alone(
    database: Database, folder: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [0]
    real = record_acts

    def flaky(*arguments: Any) -> Any:
        failures[0] += 1
        if failures[0] == 1:
            fail()
        return real(*arguments)

    monkeypatch.setattr(recorder_module, "record_acts", flaky)
    write(folder, [record(sent, Kind.OPEN)])
    first, second = (Recorder(database, folder, machine_seconds=5, pause=0.01) for _ in range(2))
    with first.running():
        wait_until(lambda: counts(database) == {"open": 1})
        with second.running():
            write(folder, [record(sent, Kind.OPEN, 1)], "0b" * 8 + "-00000001")
            wait_until(lambda: counts(database) == {"open": 2})
    # The second takes over.
    write(folder, [record(sent, Kind.OPEN, 2)], "0c" * 8 + "-00000001")
    with second.running():
        wait_until(lambda: counts(database) == {"open": 3})


def test_at_its_end_it_records_what_waits(database: Database, account: Account, folder: Path) -> None:
    """A web host that goes for good takes no click along, though a fresh one waits ten seconds to be judged."""
    sent = send(database, account, 2, links=5, handed_at=now() - timedelta(seconds=60))
    write(folder, [record(sent, Kind.CLICK)])
    patient, shift = Recorder(database, folder, machine_seconds=5, pause=0.01), Shift()
    with shifted(shift):
        with patient.running():
            wait_until(lambda: patient._segments != {})
        assert counts(database) == {}
        # Ten seconds pass after the end has begun.
        passing = threading.Timer(0.3, lambda: setattr(shift, "ahead", timedelta(seconds=11)))
        with patient.running(patience=60):
            passing.start()
        passing.join()
    assert counts(database)["click"] == 1
    # Nobody waits when nothing does.
    begun = time.monotonic()
    with patient.running(patience=20):
        pass
    assert time.monotonic() - begun < 10


def test_an_end_before_its_first_look_takes_no_click_along(
    database: Database, folder: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread gets its first turn late, or another process had the lock until now."""
    write(folder, [record(sent, Kind.OPEN, ago=60)])
    run = Recorder.run

    def run_late(recorder: Recorder) -> None:
        assert recorder._stop.wait(60)
        run(recorder)

    monkeypatch.setattr(Recorder, "run", run_late)
    with Recorder(database, folder, machine_seconds=5, pause=0.01).running(patience=60):
        pass
    assert counts(database) == {"open": 1}


def test_at_its_end_it_tries_again_and_opens_all_segments(
    database: Database, folder: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database fails for a moment, and more segments wait than are open at the same time."""
    monkeypatch.setattr(recorder_module, "MOST_SEGMENTS", 3)
    for number in range(10):
        write(folder, [record(sent, Kind.OPEN, number, ago=60)], f"{number:016x}-00000001")
    failures = [0]
    real = record_acts

    def flaky(*arguments: Any) -> Any:
        failures[0] += 1
        if failures[0] < 4:
            fail()
        return real(*arguments)

    monkeypatch.setattr(recorder_module, "record_acts", flaky)
    with Recorder(database, folder, machine_seconds=5, pause=0.01).running(patience=60):
        pass
    assert counts(database) == {"open": 10}


@pytest.mark.parametrize("has_worker", [True, False])
def test_a_web_process_records_only_where_no_worker_is_sure_to(
    database: Database, tmp_path: Path, sent: Sent, has_worker: bool
) -> None:
    """Beside its own worker it records at its end alone, when that one has ended and left something."""
    product = Product.open(Settings(data_dir=tmp_path, machine_click_seconds=0), database)
    product.settings.spool.mkdir(exist_ok=True)
    write(product.settings.spool, [record(sent, Kind.OPEN)])
    before: list[dict[str, int]] = []
    worker: Any = SimpleNamespace(stop=lambda: before.append(counts(database))) if has_worker else None
    with _recording(product, worker):
        pass
    assert before == ([{}] if has_worker and database.kind == "postgresql" else [])
    assert counts(database) == ({"open": 1} if database.kind == "postgresql" else {})


def test_more_segments_than_are_open_at_once(
    database: Database, folder: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MOST_SEGMENTS", 3)
    monkeypatch.setattr(recorder_module, "MOST_RECORDS", 4)
    monkeypatch.setattr(recorder_module, "AHEAD", 5)
    for number in range(10):
        acts = [record(sent, Kind.OPEN, mail, address=b"%d" % number, ago=60) for mail in range(7)]
        write(folder, acts, f"{number:016x}-00000001")
    recorder = Recorder(database, folder, machine_seconds=5)
    for _ in range(60):
        recorder.round()
    assert counts(database) == {"open": 70}
    assert list(folder.glob(f"*{SUFFIX}")) == []


def test_with_a_real_spool(database: Database, folder: Path, sent: Sent) -> None:
    """Written while it is read, in segments that end by size."""

    async def act() -> None:
        spool = Spool(folder, segment_bytes=5_000)
        for number in range(1000):
            await spool.add(record(sent, Kind.OPEN, number % 20, address=b"%d" % number))
            if number % 50 == 0:
                await asyncio.sleep(0)
        spool.close()

    with Recorder(database, folder, machine_seconds=5, pause=0.01).running():
        asyncio.run(act())
        wait_until(lambda: counts(database) == {"open": 1000})


RECORDER = """
import sys
from pathlib import Path
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.tracking import recorder
recorder.MOST_RECORDS = 50
print("began", flush=True)
recorder.Recorder(Database(sys.argv[1]), Path(sys.argv[2]), machine_seconds=0, pause=0.001).run()
"""


def test_a_recorder_that_is_killed(database: Database, folder: Path, sent: Sent) -> None:
    total = 3000
    for number in range(6):
        acts = [
            record(sent, Kind.OPEN, each % 20, address=b"%d/%d" % (number, each), ago=60) for each in range(total // 6)
        ]
        write(folder, acts, f"{number:016x}-00000001")
    url = database.url.render_as_string(hide_password=False)
    for least in (1, 700, 1400, 2100):
        with subprocess.Popen([sys.executable, "-c", RECORDER, url, str(folder)], stdout=subprocess.PIPE) as process:
            wait_until(lambda least=least: counts(database)["open"] >= least)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
    assert counts(database)["open"] >= 2100
    recorder = Recorder(database, folder, machine_seconds=0)
    while list(folder.glob(f"*{SUFFIX}")):
        recorder.round()
    assert counts(database) == {"open": total}
    assert [each.name for each in folder.iterdir()] == ["recorder.lock"]
