"""`soapstone message …` and `soapstone send …`: from a text in a file to the truth about each recipient."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from soapstone.cli import app
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import deliveries

Run = Callable[..., Result]

PEOPLE = "Email,First_Name,Size\nann@example.com,Ann,38\nbob@example.com,Bob,41\ncat@example.com,Cat,38\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Run:
    """Runs commands, with an account in Rome, a list of three people and one with nobody."""
    password, people = tmp_path / "password", tmp_path / "people.csv"
    password.write_text("secret\n")
    people.write_text(PEOPLE)

    def call(*arguments: str, code: int = 0, given: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=given)
        assert result.exit_code == code, result.output
        return result

    call("account", "create", "acme", "--login", "ann", "--password-file", str(password), "--time-zone", "Europe/Rome")
    call("list", "create", "News", "--from-name", "Ann", "--from-address", "news@example.com")
    call("list", "create", "Club", "--from-address", "club@example.com")
    with product(data) as opened:
        owner = opened.accounts.all()[0]
        header = opened.profiles.add_header(owner.id, 1, "Clothes")
        opened.profiles.add_attribute(owner.id, 1, header, "Size")
        assert owner.time_zone == "Europe/Rome"
    call("import", str(people), "--list", "1", "--map", "1=email", "--map", "2=first_name", "--map", "3=Size")
    return call


class product:
    """The records of the commands, for a moment."""

    def __init__(self, data: Path) -> None:
        self._settings = Settings(data_dir=data)

    def __enter__(self) -> Product:
        self._database = Database(self._settings.database)
        return Product.open(self._settings, self._database)

    def __exit__(self, *_: object) -> None:
        self._database.close()


def work(data: Path) -> None:
    """What a worker does with all that is due."""
    with product(data) as opened:
        worker = Worker(opened.database, opened.blobs, runners(opened), idle=0.01)
        # A send that waits for another one is due again in a moment.
        moment = datetime.now(UTC) + timedelta(hours=1)
        worker.run(until=lambda: all(job.over or job.due_at > moment or job.paused for job in opened.jobs.find()))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│ \n").split("│")]


def rows(result: Result) -> list[list[str]]:
    return [cells(line) for line in result.output.splitlines() if line.startswith("│")]


def test_a_message_from_its_text_to_its_preview(run: Run, tmp_path: Path) -> None:
    body = tmp_path / "body.html"
    body.write_text("<p>Dear {{ First_Name }}, size {{ Size }}</p>")
    added = run("message", "add", "--list", "1", "--name", "June", "--subject", "News for {{ First_Name }}",
                "--html", str(body), "--text", "-", given="Ciao {{ First_Name }}\n")  # fmt: skip
    assert "Message 1 is saved." in added.output
    run("message", "add", "--list", "1", "--subject", "Receipt", "--text", "-", "--transactional", given="Thanks")
    assert [(row[0], row[1], row[2], row[3]) for row in rows(run("message", "list"))] == [
        ("1", "saved", "1", "June"),
        ("2", "transactional", "1", ""),
    ]
    assert [row[0] for row in rows(run("message", "list", "--transactional"))] == ["2"]
    shown = run("message", "show", "1").output
    assert "Ciao {{ First_Name }}" in shown
    assert "<p>Dear" in shown
    seen = run("message", "preview", "1", "--to", "BOB@example.com").output
    assert "Subject: News for Bob" in seen
    assert "From: Ann <news@example.com>" in seen
    assert seen.endswith("Ciao Bob\n")
    assert "<p>Dear Bob, size 41</p>" in run("message", "preview", "1", "--to", "bob@example.com", "--html").output
    assert "Subject: News for \n" in run("message", "preview", "1", "--to", "new@example.com").output


def test_editing_changes_what_is_given_and_nothing_else(run: Run) -> None:
    run("message", "add", "--list", "1", "--subject", "Old", "--text", "-", "--name", "June", given="Text")
    run("message", "edit", "1", "--subject", "New", "--to-name", "{{ First_Name }}")
    shown = run("message", "show", "1").output
    assert "New" in shown
    assert "Text" in shown
    assert "June" in shown
    run("message", "edit", "1", "--html", "-", "--text", "", given="<p>Only HTML</p>")
    assert "Only HTML" in run("message", "preview", "1", "--to", "ann@example.com").output
    assert "no message 9" in run("message", "edit", "9", "--subject", "x", code=1).output
    assert "not a correct template" in run("message", "edit", "1", "--subject", "{{", code=1).output
    assert "Nothing" in run("message", "edit", "1", code=1).output
    assert "New" in run("message", "show", "1").output


def test_archived_messages_are_out_of_the_way(run: Run) -> None:
    run("message", "add", "--list", "1", "--subject", "Old", "--text", "-", given="Text")
    run("message", "archive", "1")
    assert rows(run("message", "list")) == []
    assert [row[0] for row in rows(run("message", "list", "--archived"))] == ["1"]
    run("message", "archive", "1", "--undo")
    assert [row[0] for row in rows(run("message", "list"))] == ["1"]
    assert "no message 9" in run("message", "archive", "9", code=1).output


def test_mistakes_are_told_before_anything_is_stored(run: Run, tmp_path: Path) -> None:
    add = ("message", "add", "--list", "1", "--subject", "x")
    assert "Cannot read" in run(*add, "--html", str(tmp_path / "nothing"), code=1).output
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert "UTF-8" in run(*add, "--text", str(tmp_path / "latin"), code=1).output
    assert "standard input" in run(*add, "--html", "-", "--text", "-", code=1, given="x").output
    assert "sender address" in run(*add, "--text", "-", "--from-address", "nobody", code=1, given="x").output
    assert "character set" in run(*add, "--text", "-", "--charset", "klingon", code=1, given="x").output
    assert "no list 9" in run("message", "add", "--list", "9", "--subject", "x", code=1).output
    assert rows(run("message", "list")) == []
    run(*add, "--text", "-", given="{{ Nonsense }}")
    assert "Nonsense" in run("message", "preview", "1", code=1).output
    assert "Nonsense" in run("send", "list", "1", code=1).output


def test_a_send_to_a_list_with_a_filter_at_its_time(run: Run, data: Path) -> None:
    run("message", "add", "--list", "1", "--subject", "For {{ First_Name }}", "--text", "-", given="x")
    run("list", "suppress", "cat@example.com")
    sent = run("send", "list", "1", "--where", "Size=38", "--at", "2020-01-01 10:00")
    number = sent.output.split()[1]
    assert f"soapstone send status {number}" in sent.output
    work(data)
    status = run("send", "status", number).output
    assert "completed" in status
    with product(data) as opened:
        job = opened.jobs.get(None, int(number))
        assert job is not None
        # Ten o'clock in Rome.
        assert job.due_at == datetime(2020, 1, 1, 9, tzinfo=UTC)
    people = rows(run("send", "status", number, "--recipients"))
    assert ["ann@example.com", "handed"] in [row[:2] for row in people]
    assert ["cat@example.com", "skipped"] in [row[:2] for row in people]
    assert "suppressed" in run("send", "status", number, "--recipients", "--state", "skipped").output
    assert "ann@" not in run("send", "status", number, "--recipients", "--state", "skipped").output
    listed = list(csv.DictReader(io.StringIO(run("send", "status", number, "--recipients", "--csv").output)))
    assert [(row["address"], row["state"], row["why"]) for row in listed] == [
        ("ann@example.com", "handed", ""),
        ("cat@example.com", "skipped", "suppressed"),
    ]
    assert "no profile attribute" in run("send", "list", "1", "--where", "Shoe=1", code=1).output
    assert "ATTRIBUTE=VALUE" in run("send", "list", "1", "--where", "Shoe", code=1).output
    assert "time" in run("send", "list", "1", "--at", "tomorrow", code=1).output
    assert "no message 9" in run("send", "list", "9", code=1).output
    assert "is no send" in run("send", "status", "1", code=1).output


def test_groups_get_one_mail_each_person_and_addresses_what_they_are_sent(run: Run, data: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("Email\nbob@example.com\ndan@example.com\n")
    run("import", str(more), "--list", "2")
    run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", "--from-address", "a@example.com",
        given="x")  # fmt: skip
    numbers = [line.split()[1] for line in run("send", "group", "1", "1", "2").output.splitlines() if "Send" in line]
    work(data)
    first, second = (rows(run("send", "status", number, "--recipients")) for number in numbers)
    assert [row[:2] for row in first] == [[f"{name}@example.com", "handed"] for name in ("ann", "bob", "cat")]
    assert [row[:3] for row in second] == [
        ["bob@example.com", "skipped", "had"],
        ["dan@example.com", "handed", ""],
    ]
    run("message", "add", "--list", "1", "--subject", "Order {{ Number }}", "--text", "-", "--transactional",
        given="x")  # fmt: skip
    assert "unknown merge field" in run("send", "addresses", "2", "zoe@example.com", code=1).output
    sent = run("send", "addresses", "2", "zoe@example.com", "nobody", "--field", "Number=7")
    work(data)
    people = rows(run("send", "status", sent.output.split()[1], "--recipients"))
    assert [row[:3] for row in people] == [["zoe@example.com", "handed", ""], ["nobody", "skipped", "malformed"]]
    assert "Order 7" in "".join(path.read_text() for path in (data / "mail").glob("*.eml"))


def test_resting_going_on_and_ending(run: Run, data: Path) -> None:
    run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", given="x")
    number = run("send", "list", "1").output.split()[1]
    run("send", "pause", number)
    assert "paused" in run("send", "status", number).output
    assert "paused" in run("jobs", "show", number).output
    assert "rests already" in run("send", "pause", number, code=1).output
    work(data)
    assert not list((data / "mail").glob("*.eml"))
    run("send", "resume", number)
    assert "does not rest" in run("send", "resume", number, code=1).output
    work(data)
    assert len(list((data / "mail").glob("*.eml"))) == 3
    later = run("send", "list", "1", "--at", (datetime.now(UTC) + timedelta(days=1)).isoformat()).output.split()[1]
    assert "queued" in run("send", "status", later).output
    run("send", "cancel", later)
    assert "cancelled" in run("send", "status", later).output
    assert "over already" in run("send", "cancel", later, code=1).output
    assert "is no send" in run("send", "pause", "1", code=1).output


def test_those_who_failed_are_tried_again_and_nobody_else(run: Run, data: Path) -> None:
    run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", given="x")
    number = run("send", "list", "1").output.split()[1]
    assert "not over" in run("send", "retry-failed", number, code=1).output
    work(data)
    assert "Nobody" in run("send", "retry-failed", number, code=1).output
    with product(data) as opened, opened.database.write() as connection:
        failed = deliveries.update().where(deliveries.c.email == "bob@example.com")
        connection.execute(failed.values(state="failed", reply="550 5.1.1 No such mailbox"))
    assert "550 5.1.1 No such mailbox" in run("send", "status", number, "--recipients", "--state", "failed").output
    again = [run("send", "retry-failed", number).output.split()[1] for _ in range(2)]
    work(data)
    first, second = (rows(run("send", "status", each, "--recipients")) for each in again)
    assert [row[:3] for row in first] == [["bob@example.com", "handed", ""]]
    assert [row[:3] for row in second] == [["bob@example.com", "skipped", "had"]]
