"""`soapstone jobs …` and the progress of `soapstone import`, as a user and a script see them."""

from __future__ import annotations

import csv
import io
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import event, update
from typer.testing import CliRunner

from soapstone.cli import app
from soapstone.commands import progress
from soapstone.imports.imports import Imports
from soapstone.imports.progress import Progress
from soapstone.imports.reader import LARGE_BYTES
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.lock import WorkerLock
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import jobs

FILE = b"Email,First_Name,Shoe size\nann@example.org,Ann,38\nnobody,N,1\nann@example.org,Zo\xc3\xab,39\n"
EMAIL = (Column(index=0, target="email"), Column(index=1, target="first_name"))


class Office:
    """Records in a folder of their own, with one account and one list, and no worker unless a test runs one."""

    def __init__(self, database: Database, data: Path) -> None:
        self.settings = Settings(data_dir=data)
        self.product = Product.open(self.settings, database)
        self.account = self.product.accounts.create("ACME", time_zone="UTC")
        self.list = self.product.lists.create(self.account.id, "News")
        self.environment = {
            **os.environ,
            "SOAPSTONE_DATA_DIR": str(data),
            "SOAPSTONE_DATABASE_URL": database.url.render_as_string(hide_password=False),
        }

    def submit(self, data: bytes = FILE, *, replace: bool = False, label: str = "people.csv") -> int:
        """Queue an import."""
        upload = self.product.blobs.new()
        upload.write(data)
        job = self.product.imports.submit(
            account=self.account,
            login=None,
            contact_list=self.list,
            upload=upload,
            spec=ImportSpec(columns=EMAIL, header=True, known="overwrite", replace=replace),
            label=label,
        )
        return job.id

    def work(self) -> None:
        """Run all jobs to their end."""
        worker = Worker(self.product.database, self.product.blobs, runners(self.product), idle=0.05)
        worker.run(until=lambda: all(job.over for job in self.product.jobs.find()))

    def state(self, number: int) -> str:
        """The state of a job."""
        job = self.product.jobs.get(None, number)
        assert job is not None
        return job.state

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints, in this process."""
        result = CliRunner().invoke(app, arguments, env=self.environment)
        assert result.exit_code == code, result.output
        return result.output

    @contextmanager
    def started(self, *arguments: str, program: str = "", **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command in a process of its own, its output in a pipe. `program` is done before."""
        code = f"{program}\nfrom soapstone.cli import app\napp()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "data")


def lines_until(process: subprocess.Popen[bytes], words: str) -> list[str]:
    """What the process prints, up to the line with these words."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line.decode().rstrip("\n"))
        if words in seen[-1]:
            return seen
    assert process.stderr is not None
    raise AssertionError((words, seen, process.stderr.read()))


def rest(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Exit code and what else the process prints."""
    output, errors = process.communicate(timeout=60)
    assert errors == b""
    return process.returncode, output.decode()


def test_a_job_is_watched_to_its_end(office: Office) -> None:
    number = office.submit()
    with office.started("jobs", "watch", str(number)) as process:
        assert lines_until(process, "queued") == [f"Job {number} queued"]
        office.work()
        code, output = rest(process)
    assert code == 0
    assert f"Job {number} is completed: 3 rows, 1 good, 1 new, 0 changed, 2 rejected.\n" in output
    assert "\n1 added as new contacts, 1 duplicate in the file, 1 with an invalid address\n" in output
    assert f"Rejected rows with their reasons: soapstone jobs rejects {number}\n" in output
    assert "\x1b" not in output
    assert "\r" not in output
    assert office.run("jobs", "watch", str(number)) == output[output.index(f"Job {number} is completed") :]


def test_watching_ends_with_1_unless_the_job_was_completed(office: Office) -> None:
    cancelled, failed = office.submit(), office.submit(b"Email\nnobody\n", replace=True)
    assert f"Job {cancelled} is cancelled." in office.run("jobs", "cancel", str(cancelled))
    office.work()
    assert f"Job {cancelled} was cancelled: 0 rows" in office.run("jobs", "watch", str(cancelled), code=1)
    output = office.run("jobs", "watch", str(failed), code=1)
    assert f"Job {failed} has failed: 1 rows, 0 good" in output
    assert "\nThe file has no good row; the list keeps its members.\n" in output
    assert output.endswith(f"Try it again from where it stood: soapstone jobs retry {failed}\n")


def test_ctrl_c_ends_the_watching_and_not_the_job(office: Office) -> None:
    number = office.submit()
    with office.started("jobs", "watch", str(number)) as process:
        lines_until(process, "queued")
        process.send_signal(signal.SIGINT)
        code, output = rest(process)
    assert (code, output) == (
        130,
        f"Stopped watching. Job {number} goes on; to end it: soapstone jobs cancel {number}\n",
    )
    assert office.state(number) == "queued"
    office.work()
    assert office.state(number) == "completed"


def test_in_a_terminal_the_figures_move_in_their_place(office: Office) -> None:
    number = office.submit()
    seen, code = in_terminal(office, ["jobs", "watch", str(number)], lambda: office.work())
    assert code == 0
    assert f"Job {number} queued".encode() in seen
    assert b"\x1b[?25l" in seen, "the cursor is hidden"
    assert b"\x1b[2K" in seen, "lines are drawn over"
    assert seen.rindex(b"\x1b[?25h") < seen.rindex(b" is completed: 3 rows"), "the cursor is there again"
    seen, code = in_terminal(office, ["jobs", "watch", str(number)], lambda: None, TERM="dumb")
    assert code == 0
    assert b"\x1b" not in seen


def test_watching_asks_the_database_no_more_than_it_must(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite tells whether anything was committed; PostgreSQL is asked once for each look."""
    number, looks, asked = office.submit(), [], []

    def look_again(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 20:
            office.product.jobs.cancel(None, number)

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    monkeypatch.setattr(progress, "time", SimpleNamespace(sleep=look_again, monotonic=time.monotonic))
    event.listen(office.product.database.engine, "before_cursor_execute", listen)
    assert progress.follow(office.product, number).state == "cancelled"
    assert len(looks) == 20
    assert max(looks) <= 0.25, "several times a second"
    assert len(asked) <= (2 if office.product.database.kind == "sqlite" else 21)


def in_terminal(
    office: Office, arguments: list[str], when_begun: Callable[[], None], **variables: str
) -> tuple[bytes, int]:
    """What a command writes to a terminal, and its exit code."""
    mine, theirs = pty.openpty()
    environment = {**office.environment, "TERM": "xterm", "COLUMNS": "80", **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "soapstone", *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen, begun, end = b"", False, time.monotonic() + 60
    try:
        while time.monotonic() < end:
            if select.select([mine], [], [], 0.1)[0]:
                try:
                    seen += os.read(mine, 65536)
                except OSError:  # the other end is closed
                    break
            if not begun and b"Job" in seen:
                begun = True
                when_begun()
        return seen, process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(mine)


# Put in front of the command: the first transaction of a run but one waits until a file is there.
SLOW = """
import time, pathlib, contextlib
from soapstone.jobs.run import Run
chunk, seen = Run.chunk, []
@contextlib.contextmanager
def slow(run, **how):
    seen.append(1)
    while len(seen) > 1 and not pathlib.Path({gate!r}).exists():
        time.sleep(0.01)
    with chunk(run, **how) as made:
        yield made
Run.chunk = slow
"""


def test_ctrl_c_in_an_import_without_a_server_stops_it_and_says_how_it_goes_on(office: Office, tmp_path: Path) -> None:
    file, gate = tmp_path / "people.csv", tmp_path / "gate"
    file.write_bytes(FILE)
    program = SLOW.format(gate=str(gate))
    with office.started("import", str(file), "--list", str(office.list.id), program=program) as process:
        lines_until(process, "running")
        process.send_signal(signal.SIGINT)
        lines_until(process, "Stopping after the rows under way.")
        gate.touch()
        code, output = rest(process)
    assert code == 130
    assert output.startswith("Job 1 has stopped at ")
    assert output.endswith("; what is done is kept.\nTo go on: soapstone worker. To end it: soapstone jobs cancel 1\n")
    assert office.state(1) == "queued"
    with office.started("worker") as worker:
        with office.started("jobs", "watch", "1") as process:
            code, output = rest(process)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert code == 0
    assert "3 rows, 1 good, 1 new, 0 changed, 2 rejected" in output


def test_ctrl_c_leaves_the_reading_of_a_large_file_to_the_worker(office: Office, tmp_path: Path) -> None:
    """A terminal sends it to every process of the command, also to one that has just begun."""
    file = tmp_path / "people.csv"
    file.write_bytes(b"Email\n" + b"".join(b"user%d@example.org\n" % number for number in range(200_000)))
    assert file.stat().st_size > LARGE_BYTES
    with office.started("import", str(file), "--list", str(office.list.id)) as process:
        lines_until(process, "running")
        os.killpg(process.pid, signal.SIGINT)
        code, output = rest(process)
    assert code == 130, output
    assert output.startswith("Stopping after the rows under way.\nJob 1 has stopped at ")
    assert office.state(1) == "queued"


def test_ctrl_c_in_an_import_that_the_servers_worker_does_ends_the_watching(
    sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "soapstone.sqlite")
    database = Database(f"sqlite:///{tmp_path / 'soapstone.sqlite'}")
    office = Office(database, tmp_path / "data")
    file = tmp_path / "people.csv"
    file.write_bytes(FILE)
    lock = WorkerLock(office.settings.worker_lock)
    assert lock.acquire()
    with office.started("import", str(file), "--list", str(office.list.id)) as process:
        lines_until(process, "Job 1 queued")
        process.send_signal(signal.SIGINT)
        code, output = rest(process)
    lock.release()
    assert (code, output) == (130, "Stopped watching. Job 1 goes on; to end it: soapstone jobs cancel 1\n")
    assert office.state(1) == "queued"
    database.close()


PROGRESS = [
    # (done and rows, what is told)
    (Progress(read=0, done=0, rows=None, rate=0.0, seconds_left=None), "scanning the file"),
    (
        Progress(read=1234567, done=0, rows=None, rate=0.0, seconds_left=None),
        "scanning the file, 1,234,567 rows read",
    ),
    (Progress(read=5000, done=0, rows=5000, rate=0.0, seconds_left=None), "merging, 0 of 5,000 rows"),
    (
        Progress(read=5000000, done=1000000, rows=5000000, rate=43210.9, seconds_left=93.4),
        "merging, 1,000,000 of 5,000,000 rows, 43,211 rows/s, 1 min 33 s left",
    ),
    (Progress(read=7, done=7, rows=7, rate=9.0, seconds_left=0.0), "removing members, 7 of 7 rows"),
]


@pytest.mark.parametrize(("progress", "words"), PROGRESS)
def test_a_running_import_tells_phase_rows_rate_and_time_left(
    office: Office, monkeypatch: pytest.MonkeyPatch, progress: Progress, words: str
) -> None:
    number = office.submit(replace=True)
    claim(office, number, {"added": 2, "invalid_address": 1})
    monkeypatch.setattr(Imports, "progress", lambda self, job: progress)
    monkeypatch.setenv("COLUMNS", "300")
    assert f"{words}; 2 added as new contacts, 1 with an invalid address" in office.run("jobs", "list")
    shown = re.findall(r"^│ (.*?) *│ (.*?) *│$", office.run("jobs", "show", str(number)), re.MULTILINE)
    facts: dict[str, str] = dict(shown)
    phase, *_ = words.split(",")
    assert facts["Phase"] == phase
    assert facts["Rows read"] == f"{progress.read:,}"
    rows = "" if progress.rows is None else f" of {progress.rows:,}"
    assert facts["Rows done"] == f"{progress.done:,}{rows}"
    assert facts.get("Rate", "") == ("43,211 rows/s" if "43,211" in words else "")
    assert facts.get("Time left", "") == ("1 min 33 s" if "1 min" in words else "")
    assert facts["added as new contacts"] == "2"


def claim(office: Office, number: int, counters: Mapping[str, int]) -> None:
    """Let a job run that nobody works at."""
    job = office.product.jobs.claim("nobody", ["import"], timedelta(minutes=5))
    assert job is not None
    assert job.id == number
    with office.product.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == number).values(counters=dict(counters)))


def test_a_running_job_is_asked_to_end(office: Office) -> None:
    number = office.submit()
    claim(office, number, {})
    assert f"Job {number} ends after the work under way." in office.run("jobs", "cancel", str(number))
    assert "cancelling" in office.run("jobs", "list")


def test_a_job_that_waits_tells_why(office: Office) -> None:
    number = office.submit()
    why = "The job waits and goes on by itself. The disk of the server is full."
    with office.product.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == number).values(error=why))
    with office.started("jobs", "watch", str(number)) as process:
        assert lines_until(process, "queued") == [f"Job {number} queued, {why}"]
    assert why in re.sub(r"[\s│]+", " ", office.run("jobs", "list"))


def test_what_is_over_is_not_cancelled_and_only_what_failed_is_retried(office: Office) -> None:
    number, failed = office.submit(), office.submit(b"Email\nnobody\n", replace=True)
    office.work()
    assert "is over already: it is completed." in office.run("jobs", "cancel", str(number), code=1)
    assert "Only a failed job can be retried" in office.run("jobs", "retry", str(number), code=1)
    assert office.run("jobs", "retry", str(failed)) == f"Job {failed} is queued again.\n"
    assert office.state(failed) == "queued"
    office.work()
    job = office.product.jobs.get(None, failed)
    assert job is not None
    assert job.finished_at is not None
    office.product.jobs.forget_inputs(job.finished_at.replace(year=job.finished_at.year + 1))
    assert "was removed; it cannot be retried" in office.run("jobs", "retry", str(failed), code=1)


def test_nothing_that_is_no_job(office: Office) -> None:
    for command in ("show", "watch", "cancel", "retry", "rejects"):
        assert office.run("jobs", command, "7", code=1) == "There is no job 7.\n"
        office.run("jobs", command, "x", code=2)


@pytest.mark.parametrize(
    "command",
    [
        ("jobs", "show", "N"),
        ("jobs", "list", "--limit", "N"),
        ("send", "status", "N"),
        ("send", "list", "--limit", "N"),
        ("track", "figures", "--message", "N"),
        ("attribute", "list", "--list", "N"),
        ("account", "permit", "ann", "--list", "1", "--list", "N"),
        ("list", "suppress", "ann@example.org", "--list", "-N"),
    ],
)
def test_numbers_that_no_database_takes(office: Office, command: tuple[str, ...]) -> None:
    number = str(1 << 63)
    filled = [word.replace("N", number) for word in command]
    assert office.run(*filled, code=1) == f"The number {filled[-1]} is too large.\n"


@pytest.mark.parametrize("limit", ["0", "-5"])
def test_a_limit_lets_at_least_one_job_through(office: Office, limit: str) -> None:
    """A negative one is none on SQLite, and an error on PostgreSQL."""
    office.run("jobs", "list", "--limit", limit, code=2)


def test_rejected_rows_are_csv_in_utf_8_whatever_the_terminal_takes(office: Office) -> None:
    number = office.submit(FILE + b'x,"a ""b""\r\nc",\ny,\n' + b"z,\xff,1\n")
    office.work()
    with office.started("jobs", "rejects", str(number), PYTHONIOENCODING="ascii", LC_ALL="C") as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    rows = list(csv.reader(io.StringIO(output.decode(), newline="")))
    assert rows[0] == ["line", "reason", "Email", "First_Name", "Shoe size"]
    assert rows[1:4] == [
        ["2", "Another row about the same contact counts.", "ann@example.org", "Ann", "38"],
        ["3", "The e-mail address is malformed.", "nobody", "N", "1"],
        ["5", "The e-mail address is malformed.", "x", 'a "b"\r\nc', ""],
    ]
    assert [row[0] for row in rows[4:]] == ["7", "8"]


def test_rejected_rows_can_be_corrected_and_imported_again(office: Office, tmp_path: Path) -> None:
    file, again = tmp_path / "people.csv", tmp_path / "again.csv"
    file.write_bytes(b"E-mail,First_Name\nnobody,Nob\nann@example.org,Ann\n")
    office.run("import", str(file), "--list", str(office.list.id))
    again.write_text(office.run("jobs", "rejects", "1").replace("nobody", "nobody@example.org"))
    output = office.run("import", str(again), "--list", str(office.list.id))
    assert "Not used" not in output
    assert "1 rows, 1 good, 1 new" in output


def test_a_reader_who_has_seen_enough_ends_it_quietly(office: Office) -> None:
    rows = b"".join(b"nobody %d,%s,\n" % (row, b"x" * 1000) for row in range(3000))
    number = office.submit(b"Email,First_Name,Shoe size\n" + rows)
    office.work()
    with office.started("jobs", "rejects", str(number)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"line,reason,Email,First_Name,Shoe size\r\n"
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_jobs_that_are_no_imports(office: Office) -> None:
    with office.product.database.write(durable=True) as connection:
        number = office.product.jobs.add(connection, account_id=office.account.id, kind="send_to_list", steps=3)
    assert office.run("jobs", "rejects", str(number), code=1) == f"Job {number} is not an import.\n"
    assert "step 0 of 3" in office.run("jobs", "list")
    assert "Rows read" not in office.run("jobs", "show", str(number))


def test_names_of_files_are_no_markup(office: Office) -> None:
    number = office.submit(label="[red]people[/red].csv")
    assert "[red]people[/red].csv" in office.run("jobs", "list")
    assert "[red]people[/red].csv" in office.run("jobs", "show", str(number))
