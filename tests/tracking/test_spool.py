"""The spool: what is answered is written, and what is torn is not read."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapstone.tracking.spool import SUFFIX, Spool, SpoolRecord, read_records
from soapstone.vocabulary.tracking import MailEventKind

RECORDS = st.builds(
    SpoolRecord,
    at=st.integers(0, 1 << 62),
    kind=st.sampled_from((MailEventKind.OPEN, MailEventKind.READ, MailEventKind.CLICK)),
    message_id=st.integers(1, (1 << 32) - 1),
    delivery_id=st.integers(0, (1 << 48) - 1),
    position=st.integers(0, 999_999),
    address=st.binary(max_size=45),
    agent=st.binary(max_size=500),
)


def record(delivery_id: int) -> SpoolRecord:
    return SpoolRecord(1_000_000, MailEventKind.CLICK, 7, delivery_id, 3, b"192.0.2.1", b"Mozilla/5.0 (X11)")


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def found(folder: Path) -> list[SpoolRecord]:
    return [each for path in segments(folder) for _, each in read_records(path.read_bytes())]


@given(st.lists(RECORDS, max_size=5))
def test_what_is_written_is_read(records: list[SpoolRecord]) -> None:
    data = b"".join(each.encoded() for each in records)
    assert [each for _, each in read_records(data)] == records
    assert [end for end, _ in read_records(data)][-1:] == ([len(data)] if records else [])


def test_long_addresses_and_agents_are_cut() -> None:
    long = record(1)._replace(address=b"1" * 1000, agent=b"a" * 70_000)
    assert [each for _, each in read_records(long.encoded())] == [long._replace(address=b"1" * 45, agent=b"a" * 500)]


def test_a_record_torn_at_every_byte_is_not_read() -> None:
    whole, last = record(1).encoded(), record(2).encoded()
    for size in range(len(last)):
        assert [each for _, each in read_records(whole + last[:size])] == [record(1)]
        # A power cut may leave zeros or other bytes where the content was to be.
        for rest in (b"\0", b"\xff"):
            assert [each for _, each in read_records(whole + last[:size] + rest * (len(last) - size))] == [record(1)]


def test_one_turn_of_the_loop_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    real = os.write

    def write(file: int, data: bytes) -> int:
        if len(data) > 20:
            writes.append(len(data))
        return real(file, data)

    async def run() -> None:
        spool = Spool(tmp_path / "spool")
        monkeypatch.setattr(os, "write", write)
        await asyncio.gather(*(spool.add(record(number)) for number in range(1, 51)))
        assert len(found(tmp_path / "spool")) == 50
        await spool.add(record(51))
        monkeypatch.undo()
        spool.close()

    asyncio.run(run())
    assert len(writes) == 2
    assert found(tmp_path / "spool") == [record(number) for number in range(1, 52)]


def test_segments_end_by_size_and_by_age(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, segment_bytes=200, segment_seconds=0.05)
        for number in range(1, 11):
            await spool.add(record(number))
        assert len(segments(tmp_path)) > 2
        count = len(segments(tmp_path))
        await spool.add(record(11))
        end = time.monotonic() + 10
        # All are unlocked in the end, with nothing more written.
        while not all(map(unlocked, segments(tmp_path))):
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        assert len(segments(tmp_path)) <= count + 1
        spool.close()

    asyncio.run(run())
    assert found(tmp_path) == [record(number) for number in range(1, 12)]


def unlocked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_segment_is_locked_while_it_may_grow(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path)
        await spool.add(record(1))
        assert not unlocked(segments(tmp_path)[0])
        spool.close()
        assert unlocked(segments(tmp_path)[0])

    asyncio.run(run())


def test_files_are_private(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path / "spool")
        await spool.add(record(1))
        spool.close()

    asyncio.run(run())
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert segments(tmp_path / "spool")[0].stat().st_mode & 0o777 == 0o600


def test_records_are_on_the_disk_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    real = os.fdatasync

    def sync(file: int) -> None:
        real(file)
        synced.set()

    monkeypatch.setattr(os, "fdatasync", sync)

    async def run() -> None:
        spool = Spool(tmp_path)
        await spool.add(record(1))
        assert await asyncio.to_thread(synced.wait, 10)
        spool.close()

    asyncio.run(run())


def lost_of(folder: Path, turns: Sequence[int]) -> tuple[int, bool]:
    """Records lost when these numbers of records are added in one turn each, and whether the spool fails then."""
    lost: list[int] = []

    async def run() -> bool:
        spool = Spool(folder, on_lost=lost.append)
        number = 0
        for count in turns:
            await asyncio.gather(*(spool.add(record(number + each)) for each in range(1, count + 1)))
            number += count
        fails = spool.fails
        spool.close()
        return fails

    fails = asyncio.run(run())
    return sum(lost), fails


def test_a_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spool").write_text("a file")
    assert lost_of(tmp_path / "spool", [2, 3]) == (5, True)
    assert caplog.text.count("cannot be recorded") == 1


@pytest.mark.parametrize("written", range(1, 3 * len(record(1).encoded()), 7))
def test_a_disk_that_fills_within_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """What is whole stays, a torn record goes, and what comes after the disk has room again is read."""
    real, calls = os.write, [0]

    def write(file: int, data: bytes) -> int:
        if data.startswith(record(1).encoded()[:2]) and len(data) > 20:
            calls[0] += 1
            if calls[0] == 2:
                return real(file, data[:written])
            if calls[0] == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    lost, fails = lost_of(tmp_path, [1, 3, 1, 1])
    monkeypatch.undo()
    whole = written // len(record(1).encoded())
    assert found(tmp_path) == [record(1), *(record(2 + each) for each in range(whole)), record(6)]
    assert (lost, fails) == (3 - whole + 1, False)


def test_a_torn_record_that_cannot_be_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.write, [0]

    def write(file: int, data: bytes) -> int:
        if len(data) > 20:
            calls[0] += 1
            if calls[0] == 2:
                return real(file, data[:30])
        return real(file, data)

    def truncate(file: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "ftruncate", truncate)
    assert lost_of(tmp_path, [1, 1, 1]) == (1, False)
    monkeypatch.undo()
    assert found(tmp_path) == [record(1), record(3)]


def test_a_recorder_that_removes_the_new_file_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take a file that is not locked yet for one that a dead process left."""
    real, tries = fcntl.flock, [0]

    def lock(file: int, operation: int) -> None:
        tries[0] += 1
        if tries[0] == 1:
            segments(tmp_path)[0].unlink()
        elif tries[0] == 2:
            raise BlockingIOError
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock)
    assert lost_of(tmp_path, [1]) == (0, False)
    monkeypatch.undo()
    assert found(tmp_path) == [record(1)]
    assert tries[0] == 3


WRITER = """
import asyncio, os, sys
from pathlib import Path
from soapstone.tracking.spool import Spool, SpoolRecord
from soapstone.vocabulary.tracking import MailEventKind

async def run():
    spool, number = Spool(Path(sys.argv[1]), segment_bytes=20_000), 0
    while True:
        number += 1
        await spool.add(SpoolRecord(number, MailEventKind.OPEN, 1, number, 0, b"192.0.2.1", b"agent"))
        os.write(1, b"%d\\n" % number)

asyncio.run(run())
"""


def test_a_killed_process_has_written_what_it_answered(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        answered = [int(writer.stdout.readline()) for _ in range(2000)]
        writer.send_signal(signal.SIGKILL)
        answered += [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
    numbers = [each.delivery_id for each in found(tmp_path)]
    assert numbers[: len(answered)] == answered
    # At most one was written and not answered.
    assert len(numbers) - len(answered) in (0, 1)
    assert all(map(unlocked, segments(tmp_path)))
