"""`soapstone message …` and `soapstone send …`: from a text in a file to the truth about each recipient."""

from __future__ import annotations

import csv
import io
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
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
def data(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sqlite_template, data / "soapstone.sqlite")
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(data))
    monkeypatch.setenv("SOAPSTONE_PUBLIC_URL", "https://mail.example.com")
    return data


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
        worker = Worker(opened.database, opened.blobs, runners(opened), idle=0.05)
        # A send that waits for another one is due again in a moment.
        moment = datetime.now(UTC) + timedelta(hours=1)
        worker.run(until=lambda: all(job.over or job.due_at > moment or job.paused for job in opened.jobs.find()))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│ \n").split("│")]


def rows(result: Result) -> list[list[str]]:
    return [cells(line) for line in result.output.splitlines() if line.startswith("│")]


def test_a_message_that_is_too_large_is_refused(run: Run) -> None:
    refused = run("message", "add", "--list", "1", "--subject", "News", "--text", "-", given="{{ a }}" * 1_001, code=1)
    assert "The message has more than 1,000 merge tags." in refused.output


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
    assert "\n\nCiao Bob\n" in seen
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
    # Saved all the same: a file that is sent to may bring the field along (lk-87).
    assert "Warning: " not in run(*add, "--text", "-", given="{{ First_Name }} {{ Size }} {{ Browser_Link }}").output
    run("message", "edit", "1", "--subject", "{{ Shoe }}")
    assert "profile attribute for Shoe." in run("message", "edit", "1", "--to-name", "{{ Shoe }}").output
    assert "profile attribute for Shoe." in run("message", "show", "1").output
    run("message", "edit", "1", "--subject", "x", "--to-name", "", "--text", "-", given="{{ Nonsense }}")
    ambiguous = run(*add, "--html", "-", given='<a href="https://a.example/?a=1&reg_id=5">x</a>')
    assert "read &reg_id in an address as ®_id; write &amp;reg_id." in ambiguous.output
    old = ("message", "add", "--list", "1", "--subject", "{{ Nonsense }} {{ Shoe }}")
    assert "profile attribute for Nonsense, Shoe." in run(*old).output
    assert "Nonsense" in run("message", "preview", "1", code=1).output
    assert "Nonsense" in run("send", "to-list", "1", "--yes", code=1).output


def test_merge_tags_that_a_program_encoded_are_a_warning(run: Run) -> None:
    body = '<a href="https://a.example/?n=%7B%7BCity%7D%7D">x</a>'
    told = run("message", "add", "--list", "1", "--subject", "x", "--html", "-", given=body).output
    assert "no value replaces %7B%7BCity%7D%7D in an address; write {{City}}." in told
    edited = run("message", "edit", "1", "--html", "-", given=body.replace("%7B%7BCity%7D%7D", "{{City}}"))
    assert "no value replaces" not in edited.output


def test_the_csv_of_recipients_holds_no_formula(run: Run, tmp_path: Path, data: Path) -> None:
    people = tmp_path / "more.csv"
    people.write_text("Email\n+cmd@example.com\n")
    run("import", str(people), "--list", "2")
    run("message", "add", "--list", "2", "--subject", "x", "--text", "-", given="x")
    number = run("send", "to-list", "1", "--yes").output.split()[1]
    work(data)
    listed = csv.DictReader(io.StringIO(run("send", "status", number, "--recipients", "--csv").output))
    assert [row["address"] for row in listed] == ["'+cmd@example.com"]


def test_a_send_to_a_list_with_a_filter_at_its_time(run: Run, data: Path) -> None:
    run("message", "add", "--list", "1", "--subject", "For {{ First_Name }}", "--text", "-", given="x")
    run("list", "suppress", "cat@example.com")
    sent = run("send", "to-list", "1", "--where", "Size=38", "--at", "2020-01-01 10:00", "--yes")
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
    assert "no profile attribute" in run("send", "to-list", "1", "--where", "Shoe=1", code=1).output
    assert "ATTRIBUTE=VALUE" in run("send", "to-list", "1", "--where", "Shoe", code=1).output
    assert "time" in run("send", "to-list", "1", "--at", "tomorrow", code=1).output
    assert "no message 9" in run("send", "to-list", "9", code=1).output
    assert "is not a send" in run("send", "status", "1", code=1).output


def test_groups_get_one_mail_each_person_and_addresses_what_they_are_sent(run: Run, data: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("Email\nbob@example.com\ndan@example.com\n")
    run("import", str(more), "--list", "2")
    run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", "--from-address", "a@example.com",
        given="x")  # fmt: skip
    numbers = [
        line.split()[1]
        for line in run("send", "to-groups", "1", "1", "2", "--yes").output.splitlines()
        if "Send" in line
    ]
    work(data)
    first, second = (rows(run("send", "status", number, "--recipients")) for number in numbers)
    assert [row[:2] for row in first] == [[f"{name}@example.com", "handed"] for name in ("ann", "bob", "cat")]
    assert [row[:3] for row in second] == [
        ["bob@example.com", "skipped", "had"],
        ["dan@example.com", "handed", ""],
    ]
    run("message", "add", "--list", "1", "--subject", "Order {{ Number }}", "--text", "-", "--transactional",
        given="x")  # fmt: skip
    assert "unknown merge field" in run("send", "to-addresses", "2", "zoe@example.com", code=1).output
    sent = run("send", "to-addresses", "2", "zoe@example.com", "nobody", "--field", "Number=7")
    work(data)
    people = rows(run("send", "status", sent.output.split()[1], "--recipients"))
    assert [row[:3] for row in people] == [["zoe@example.com", "handed", ""], ["nobody", "skipped", "malformed"]]
    assert "Order 7" in "".join(path.read_text() for path in (data / "mail").glob("*.eml"))


def test_resting_going_on_and_ending(run: Run, data: Path) -> None:
    run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", given="x")
    number = run("send", "to-list", "1", "--yes").output.split()[1]
    run("send", "pause", number)
    assert "paused" in run("send", "status", number).output
    assert "paused" in run("jobs", "show", number).output
    assert "is already paused" in run("send", "pause", number, code=1).output
    work(data)
    assert not list((data / "mail").glob("*.eml"))
    run("send", "resume", number)
    assert "is not paused" in run("send", "resume", number, code=1).output
    work(data)
    assert len(list((data / "mail").glob("*.eml"))) == 3
    later = run(
        "send", "to-list", "1", "--yes", "--at", (datetime.now(UTC) + timedelta(days=1)).isoformat()
    ).output.split()[1]
    assert "queued" in run("send", "status", later).output
    run("send", "cancel", later)
    assert "cancelled" in run("send", "status", later).output
    assert "over already" in run("send", "cancel", later, code=1).output
    assert "is not a send" in run("send", "pause", "1", code=1).output


def test_those_who_failed_are_tried_again_and_nobody_else(run: Run, data: Path) -> None:
    run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", given="x")
    number = run("send", "to-list", "1", "--yes").output.split()[1]
    assert "not over" in run("send", "retry-failed", number, code=1).output
    work(data)
    assert "no failed recipients" in run("send", "retry-failed", number, code=1).output
    with product(data) as opened, opened.database.write() as connection:
        failed = deliveries.update().where(deliveries.c.email == "bob@example.com")
        connection.execute(failed.values(state="failed", reply="550 5.1.1 No such mailbox"))
    assert "550 5.1.1 No such mailbox" in run("send", "status", number, "--recipients", "--state", "failed").output
    again = [run("send", "retry-failed", number).output.split()[1] for _ in range(2)]
    work(data)
    first, second = (rows(run("send", "status", each, "--recipients")) for each in again)
    assert [row[:3] for row in first] == [["bob@example.com", "handed", ""]]
    assert [row[:3] for row in second] == [["bob@example.com", "skipped", "had"]]


def store(run: Run, text: str = "Hello") -> str:
    """The number of a new message."""
    saved = run("message", "add", "--list", "1", "--subject", "Hello", "--text", "-", "--from-address", "a@example.com",
        given=text)  # fmt: skip
    return saved.output.split()[1]


def test_mails_to_a_list_need_a_link_to_unsubscribe(run: Run, data: Path, tmp_path: Path) -> None:
    run("list", "edit", "1", "--no-removal-link")
    store(run)
    file = tmp_path / "people.csv"
    file.write_text("EmailAddress\nzoe@example.com\n")
    blobs = set((data / "blobs").iterdir())
    commands = (("to-list", "1"), ("to-groups", "1", "2", "1"), ("to-file", "1", str(file)))
    for command in commands:
        refused = run("send", *command, "--yes", code=1).output
        for remedy in ("{{ Unsubscribe_Link }}", "soapstone list edit 1 --removal-link", "--no-unsubscribe"):
            assert remedy in refused, command
    assert rows(run("send", "list")) == []
    assert set((data / "blobs").iterdir()) == blobs
    for command in commands:
        number = run("send", *command, "--yes", "--no-unsubscribe").output.split()[1]
        assert "chose to send these mails without a link" in run("send", "status", number).output
    run("list", "edit", "1", "--removal-link")
    number = run("send", "to-list", "1", "--yes").output.split()[1]
    assert "without a link" not in run("send", "status", number).output
    run("list", "edit", "1", "--no-removal-link")
    run("send", "to-list", store(run, "Leave: {{ Unsubscribe_Link }}"), "--yes")


def test_a_file_of_recipients_is_read_as_an_import_is(run: Run, data: Path, tmp_path: Path) -> None:
    """Delimiter, heading of the address, and what stands around an address."""
    store(run, "Dear {{ Vorname }}")
    file = tmp_path / "people.csv"
    file.write_bytes(
        "sep=;\r\nVorname;E-Mail-Adresse\r\nZoë;Zoë <zoe@example.com>\r\nBo;mailto:bo@example.com\r\n"
        "Cy;cy@example.com\r\nNo;nobody\r\n".encode("cp1252")
    )
    number = run("send", "to-file", "1", str(file), "--yes").output.split()[1]
    work(data)
    mails = [message_from_bytes(mail.read_bytes(), policy=default) for mail in (data / "mail").glob("*.eml")]
    found: dict[str, str] = {}
    for mail in mails:
        plain = mail.get_body(("plain",))
        assert plain is not None
        found[mail["To"].addresses[0].addr_spec] = plain.get_content()
    assert {address: text.split("\n")[0].strip() for address, text in found.items()} == {
        "zoe@example.com": "Dear Zoë",
        "bo@example.com": "Dear Bo",
        "cy@example.com": "Dear Cy",
    }
    with product(data) as opened:
        job = opened.jobs.get(None, int(number))
        assert job is not None
        assert (job.counters["rows"], job.counters["repaired"]) == (4, 2)
    # The heading of the contract is the first choice (lk-87).
    named = tmp_path / "named.csv"
    named.write_text("Email,EmailAddress,Vorname\nann@example.com,kim@example.com,Kim\n")
    run("send", "to-file", "1", str(named), "--yes")
    work(data)
    assert len(list((data / "mail").glob("*.eml"))) == 4


def test_a_link_needs_an_address_that_it_leads_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    store(run)
    monkeypatch.delenv("SOAPSTONE_PUBLIC_URL")
    refused = run("send", "to-list", "1", "--yes", code=1).output
    assert "SOAPSTONE_PUBLIC_URL is not set" in refused
    assert "--no-unsubscribe" in refused
    run("send", "to-list", "1", "--yes", "--no-unsubscribe")
    # Mails to single people, on the other hand, need no link.
    run("send", "to-addresses", "1", "ann@example.com")
    run("send", "to-addresses", "1", "ann@example.com", "--test")


def test_what_was_chosen_holds_until_a_send_is_due(run: Run, data: Path) -> None:
    """The list's setting is another one when the mails are made: nobody gets a mail without the link."""
    store(run)
    with_link, without = (
        run("send", "to-list", "1", "--yes", *more).output.split()[1] for more in ([], ["--no-unsubscribe"])
    )
    run("list", "edit", "1", "--no-removal-link")
    work(data)
    assert "no link to unsubscribe: neither the message nor its list has one" in run("send", "status", with_link).output
    assert len(list((data / "mail").glob("*.eml"))) == 3
    assert "completed" in run("send", "status", without).output
    run("list", "edit", "1", "--removal-link")
    run("jobs", "retry", with_link)
    work(data)
    assert len(list((data / "mail").glob("*.eml"))) == 6
    assert (
        sum("To unsubscribe: https://mail.example.com/u/" in path.read_text() for path in (data / "mail").glob("*.eml"))
        == 3
    )
    with product(data) as opened, opened.database.write() as connection:
        connection.execute(deliveries.update().where(deliveries.c.email == "bob@example.com").values(state="failed"))
    again = [run("send", "retry-failed", number).output.split()[1] for number in (with_link, without)]
    run("list", "edit", "1", "--no-removal-link")
    work(data)
    assert "no link to unsubscribe" in run("send", "status", again[0]).output
    assert "completed" in run("send", "status", again[1]).output


def test_reading_verbs_send_nothing(run: Run, data: Path) -> None:
    store(run)
    assert rows(run("send", "list")) == []
    number = run("send", "to-list", "1", "--yes").output.split()[1]
    test = run("send", "to-addresses", "1", "me@example.com", "--test").output.split()[1]
    assert [row[:5] for row in rows(run("send", "list"))] == [[number, "list", "1", "1", "queued"]]
    assert [row[0] for row in rows(run("send", "list", "--tests"))] == [test, number]
    assert [row[0] for row in rows(run("send", "list", "--tests", "--limit", "1"))] == [test]
    assert rows(run("send", "list", "--list", "2")) == []
    # As it was called once: no message is taken for a filter, and none is sent.
    run("send", "list", "1", code=2)
    assert len(rows(run("send", "list", "--tests"))) == 2


def test_scripts_say_that_they_mean_it(run: Run, tmp_path: Path) -> None:
    store(run)
    file = tmp_path / "people.csv"
    file.write_text("EmailAddress\nzoe@example.com\nnobody\nyan@example.com\n")
    for command, whom in (
        (("to-list", "1"), "3 subscribed members of list 1 (News)"),
        (("to-list", "1", "--where", "Size=38"), "2 subscribed members of list 1 (News) who meet the conditions"),
        (
            ("to-list", "1", "--at", "2090-01-01T10:00"),
            "3 subscribed members of list 1 (News) at 2090-01-01 09:00:00 UTC",
        ),
        (("to-groups", "1", "1", "2"), "3 subscribed members of lists 1 (News), 2 (Club)"),
        (("to-file", "1", str(file)), "2 rows with an address in people.csv"),
    ):
        refused = run("send", *command, code=1, given="y\n").output
        assert f'message 1, "Hello", to {whom}' in refused, command
        assert "--yes" in refused
    assert rows(run("send", "list")) == []


@pytest.mark.parametrize(("answer", "sends"), [("y", 1), ("n", 0), ("", 0)])
def test_a_person_at_a_terminal_is_asked(run: Run, answer: str, sends: int) -> None:
    store(run)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "soapstone", "send", "to-list", "1"]
    asked = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown, end = "", time.monotonic() + 60
    while "[y/N]" not in shown:
        assert select.select([ours], [], [], end - time.monotonic())[0], shown
        shown += os.read(ours, 1000).decode()
    assert 'Send message 1, "Hello", to 3 subscribed members of list 1 (News)?' in shown.replace("\r\n", " ")
    os.write(ours, f"{answer}\n".encode())
    assert asked.wait(60) == (0 if sends else 1)
    os.close(ours)
    assert len(rows(run("send", "list"))) == sends


def test_lists_are_made_and_changed(run: Run, data: Path) -> None:
    run("list", "create", "Plain", "--no-removal-link")
    run("list", "edit", "2", "--name", "Club of Rome", "--from-name", "Ann", "--no-removal-link")
    with product(data) as opened:
        settings = {each.name: each.settings for each in opened.lists.all(opened.accounts.all()[0].id)}
    assert {name: found["removal_link"] for name, found in settings.items()} == {
        "News": True,
        "Club of Rome": False,
        "Plain": False,
    }
    assert (settings["Club of Rome"]["from_name"], settings["Club of Rome"]["from_address"]) == (
        "Ann",
        "club@example.com",
    )
    assert "no list 9" in run("list", "edit", "9", "--name", "x", code=1).output
    assert "Nothing" in run("list", "edit", "1", code=1).output
    assert "name of the list is missing" in run("list", "edit", "1", "--name", " ", code=1).output
    assert "not an e-mail address" in run("list", "edit", "1", "--from-address", "nobody", code=1).output
