"""The command line, as a user types it."""

from __future__ import annotations

import base64
import csv
import io
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from soapstone.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on records of its own; fails the test unless the exit code is the expected one."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sqlite_template, data / "soapstone.sqlite")
    monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(data))
    password = tmp_path / "password"
    password.write_text("secret\n")

    def call(*arguments: str, code: int = 0) -> Result:
        filled = [argument.replace("PASSWORD", str(password)) for argument in arguments]
        result = CliRunner().invoke(app, filled)
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def ready(run: Run) -> Run:
    """With an account and a list."""
    run("account", "create", "acme", "--login", "ann", "--password-file", "PASSWORD")
    run("list", "create", "News", "--from-address", "news@example.com")
    return run


def test_accounts_and_logins(run: Run) -> None:
    run("account", "create", "acme", "--login", "ann", "--password-file", "PASSWORD", "--time-zone", "Europe/Berlin")
    assert "ACME" in run("account", "list").output
    assert "already" in run("account", "create", "Acme", "--login", "bob", "--password-file", "PASSWORD", code=1).output
    assert (
        "already" in run("account", "create", "other", "--login", "ANN", "--password-file", "PASSWORD", code=1).output
    )
    assert "OTHER" not in run("account", "list").output
    run("account", "login", "bob", "--password-file", "PASSWORD", "--no-analytics")
    assert "no list 7" in run("account", "login", "c", "--password-file", "PASSWORD", "--list", "7", code=1).output
    run("account", "password", "bob", "--password-file", "PASSWORD")
    assert "no login" in run("account", "password", "nobody", "--password-file", "PASSWORD", code=1).output
    run("account", "addresses", "192.0.2.0/24")
    assert "192" in run("account", "addresses", "192.0.2.1/24", code=1).output
    run("account", "create", "child", "--login", "dan", "--password-file", "PASSWORD", "--parent", "acme")
    assert "--account" in run("list", "list", code=1).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--time-zone", "Mars/Base"], "There is no time zone Mars/Base."),
        (["--identifier", "shoe_size"], "identifier"),
        (["--parent", "nobody"], "NOBODY"),
    ],
)
def test_refused_accounts(run: Run, arguments: list[str], words: str) -> None:
    # A choice that an option does not have is a fault of the command's form, as Typer says it.
    code = 2 if arguments[0] == "--identifier" else 1
    result = run("account", "create", "acme", "--login", "ann", "--password-file", "PASSWORD", *arguments, code=code)
    assert words in result.output
    assert "Traceback" not in result.output
    assert "ACME" not in run("account", "list").output


def test_an_import_without_a_server(ready: Run, tmp_path: Path) -> None:
    """The command does the work itself when no worker lives."""
    file = tmp_path / "people.csv"
    file.write_text("E-mail,First_Name,Shoe size\nann@example.org,Ann,38\nnobody,N,1\ninfo@example.org,I,2\n")
    output = ready("import", str(file), "--list", "1").output
    assert "Not used: Shoe size" in output
    assert "3 rows, 1 good, 1 new, 0 changed, 2 rejected" in output
    rejects = list(csv.reader(io.StringIO(ready("jobs", "rejects", "1").output)))
    assert [(row[0], *row[2:]) for row in rejects] == [
        ("line", "E-mail", "First_Name", "Shoe size"),
        ("3", "nobody", "N", "1"),
        ("4", "info@example.org", "I", "2"),
    ]
    assert all(row[1] for row in rejects)
    listed = ready("list", "list").output
    assert "News" in listed
    assert "completed" in ready("jobs", "list").output
    shown = ready("jobs", "show", "1").output
    assert "people.csv" in shown
    assert "running, step 0, attempt 1" in shown
    assert "1 good" in ready("jobs", "watch", "1").output
    assert "over already" in ready("jobs", "cancel", "1", code=1).output
    assert "Only a failed job" in ready("jobs", "retry", "1", code=1).output


def test_import_options(ready: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.tsv"
    file.write_text("Ann\tann@example.org\n")
    common = ["import", str(file), "--list", "1", "--no-header", "--delimiter", r"\t"]
    dry = ready(*common, "--map", "2=Email", "--map", "1=first_name", "--dry-run").output
    assert "1 good, 1 new" in dry
    assert "1 good, 1 new" in ready(*common, "--map", "2=Email").output
    assert "1 good, 0 new, 1 changed" in ready(*common, "--map", "2=Email", "--map", "1=First_Name").output
    assert "1 good, 0 new, 0 changed" in ready(*common, "--map", "2=Email", "--keep").output
    assert "failed" in ready(*common, "--map", "1=Email", "--replace", code=1).output
    for place in ("16385", "99999999999999999999"):
        told = ready(*common, "--map", "2=Email", "--map", f"{place}=First_Name", code=1).output
        assert told.startswith("A file may have 16,384 columns")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--list", "9"], "no list 9"),
        (["--list", "1", "--map", "Email"], "COLUMN=FIELD"),
        (["--list", "1", "--map", "0=Email"], "COLUMN=FIELD"),
        (["--list", "1", "--map", "1=Shoe"], "Shoe"),
        (["--list", "1", "--no-header"], "mail"),
        (["--list", "1", "--delimiter", "ab"], "delimiter"),
    ],
)
def test_refused_imports_keep_nothing(ready: Run, tmp_path: Path, arguments: list[str], words: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Email\nann@example.org\n")
    result = ready("import", str(file), *arguments, code=1)
    assert words in result.output
    assert "Traceback" not in result.output
    assert list((tmp_path / "data" / "blobs").iterdir()) == []


def test_messages_and_suppression(ready: Run, tmp_path: Path) -> None:
    body = tmp_path / "body.html"
    body.write_text("<p>Hello {{ First_Name }}</p>")
    assert "Message 1" in ready("message", "add", "--list", "1", "--subject", "Hi", "--html", str(body)).output
    assert "Cannot read" in ready("message", "add", "--list", "1", "--subject", "x", "--html", "nowhere", code=1).output
    assert "suppressed" in ready("list", "suppress", "ann@example.org").output
    assert "banned" in ready("list", "suppress", "ann@example.org", "--ban", "--list", "1").output
    assert "not an e-mail" in ready("list", "suppress", "ann", code=1).output
    assert "ann@example.org is suppressed" in ready("list", "suppress", "'ann@example.org';").output
    assert "not an e-mail" in ready("list", "suppress", "ann@example.org, bob@example.org", code=1).output


def test_database_commands(ready: Run, tmp_path: Path) -> None:
    assert "as this version needs it" in ready("db", "check").output
    ready("db", "upgrade")
    target = tmp_path / "copy.sqlite"
    ready("db", "backup", str(target))
    assert target.stat().st_size > 0
    assert "exists already" in ready("db", "backup", str(target), code=1).output
    nowhere = tmp_path / "nowhere" / "copy.sqlite"
    refused = ready("db", "backup", str(nowhere), code=1).output.replace("\n", "")
    assert refused == f"Cannot write {nowhere}.partial: No such file or directory."


@pytest.mark.parametrize(
    "words", [["list", "list"], ["db", "check"], ["db", "upgrade"], ["worker"], ["serve", "--port", "0"]]
)
def test_records_of_a_newer_version(ready: Run, tmp_path: Path, words: list[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "soapstone.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    output = " ".join(ready(*words, code=1).output.split())
    assert "made by a newer version of Soapstone" in output
    assert "soapstone db upgrade" not in output


def test_settings_tell_their_sources_and_no_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSTONE_DATABASE_URL", "postgresql://soap:geheim@localhost/soap")
    output = run("settings").output
    assert "SOAPSTONE_DATA_DIR" in output
    assert "geheim" not in output
    assert "default" in output


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SOAPSTONE_LOCK_MINUTES", "0", "it should be greater than 0"),
        ("SOAPSTONE_LOCK_MINUTES", "ten", "it should be a valid integer, unable to parse string as an integer"),
        ("SOAPSTONE_TRUSTED_PROXIES", '["nginx"]', "'nginx' is no address and no network"),
        ("SOAPSTONE_ALLOWED_ORIGINS", "[", 'a list is written with commas, or as JSON, ["…", "…"]'),
    ],
)
@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("worker",), ("list", "list"), ("dkim",), ("settings",)])
def test_a_setting_that_cannot_be_used(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], variable: str, value: str, reason: str
) -> None:
    """One sentence with the name of the variable."""
    monkeypatch.setenv(variable, value)
    assert run(*words, code=1).output == f"{variable} cannot be used: {reason}.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("account", "password", "ann", "--password-file"),
        ("message", "add", "--list", "1", "--subject", "Hello", "--html"),
        ("message", "add", "--list", "1", "--subject", "Hello", "--text"),
    ],
)
def test_a_file_that_is_no_text(ready: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "spring"
    file.write_bytes(b"\xff\xfea\0")
    assert ready(*words, str(file), code=1).output.replace("\n", "") == f"Cannot read {file}: it is not text in UTF-8."


def test_a_data_folder_that_cannot_be(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    for place, reason in ((file, "it is no folder"), (file / "data", "Not a directory")):
        monkeypatch.setenv("SOAPSTONE_DATA_DIR", str(place))
        for words in (("list", "list"), ("db", "check"), ("worker",)):
            output = run(*words, code=1).output
            assert output.startswith(f"Cannot use {place}: {reason}. Name another")
            assert "Traceback" not in output


def test_an_address_of_no_machine(run: Run) -> None:
    output = run("web", "--host", "192.0.2.1", "--port", "0", code=1).output
    assert "Name an address of this machine" in output
    assert "another port" not in output


def test_unknown_jobs(ready: Run) -> None:
    for command in ("show", "watch", "cancel", "retry", "rejects"):
        assert "no job 99" in ready("jobs", command, "99", code=1).output


def test_the_demo_is_for_loopback_only(run: Run) -> None:
    assert "loopback" in run("serve", "--demo", "--host", "0.0.0.0", code=1).output


def test_a_scanner_whose_url_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSTONE_SPAMD_URL", "localhost:783")
    assert "is not spamd://host:port." in run("web", "--port", "0", code=1).output


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        (
            "SOAPSTONE_DKIM_KEYS",
            "example.com:june:nowhere.pem",
            "The DKIM key nowhere.pem cannot be read: No such file or directory.",
        ),
        ("SOAPSTONE_DKIM_KEYS", "key.pem", "SOAPSTONE_DKIM_KEYS cannot be used: a key is DOMAIN:SELECTOR:FILE"),
        ("SOAPSTONE_SMTP_URL", "mail.example.com", "is not smtp://host:port or smtps://host:port."),
    ],
)
@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("worker",)])
def test_a_worker_that_could_send_nothing_does_not_start(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], variable: str, value: str, reason: str
) -> None:
    """One sentence instead of a worker that ends again and again."""
    monkeypatch.setenv(variable, value)
    assert reason in run(*words, code=1).output


def test_the_records_of_dkim_keys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a zone file has them; a string of a record holds 255 characters."""
    assert "SOAPSTONE_DKIM_KEYS is empty" in run("dkim", code=1).output
    for name, kind in (("rsa", "RSA"), ("ed25519", "ed25519")):
        file = tmp_path / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", kind, "-out", file], check=True, capture_output=True)
    keys = f"example.com:june:{tmp_path / 'rsa.pem'},example.com:june-ed:{tmp_path / 'ed25519.pem'}"
    monkeypatch.setenv("SOAPSTONE_DKIM_KEYS", keys)
    rsa, ed25519 = run("dkim").output.splitlines()
    found = re.fullmatch(r'june\._domainkey\.example\.com\. IN TXT "(v=DKIM1; k=rsa; p=.{237})" "(.{155})"', rsa)
    assert found
    assert len(base64.b64decode(found[1].partition("p=")[2] + found[2], validate=True)) == 294
    assert re.fullmatch(r'june-ed\._domainkey\.example\.com\. IN TXT "v=DKIM1; k=ed25519; p=[\w+/]{43}="', ed25519)
    (tmp_path / "ed25519.pem").write_text("no key")
    assert "it is not a private key in PEM form" in run("dkim", code=1).output


# A command that makes something → what it says, without the number.
MAKING = {
    ("list", "create", "Old"): "List {} (Old) was created.",
    ("event", "add", "Bought", "--list", "1"): "Event {} (Bought) was created.",
    ("attribute", "add", "Colour", "--list", "1"): "Attribute {} (Colour) was created.",
    ("campaign", "add", "Spring", "--list", "1"): "Campaign {} (Spring) was created.",
    ("category", "add", "Shops"): "Category {} (Shops) was created.",
    ("category", "add", "Receipts", "--messages"): "Category {} (Receipts) was created.",
    ("occasion", "add", "Fair"): "Occasion {} (Fair) was created.",
    ("search", "save", "Ms", "Last_Name=M*"): "Search {} (Ms) is saved.",
    ("message", "add", "--subject", "Hello", "--list", "1"): "Message {} is saved.",
    ("message", "add", "--subject", "Hello", "--list", "1", "--transactional"): "Message {} is saved.",
    ("message", "add", "--subject", "Hello", "--magnetmail", "--name", "Ms"): "Message {} is saved.",
}


@pytest.mark.parametrize("command", MAKING, ids=" ".join)
def test_chosen_numbers(ready: Run, command: tuple[str, ...]) -> None:
    assert MAKING[command].format(123456) in ready(*command, "--number", "123456").output
    again = [word.replace("Colour", "Size").replace("Ms", "Other") for word in command]
    taken = ready(*again, "--number", "123456", code=1).output
    assert taken == "The number 123456 cannot be given: it is in use, or was before.\n"
    for number in ("0", "-3", "1000000000", "x"):
        assert "--number" in ready(*again, "--number", number, code=2).output
    following = 2 if command[:2] == ("list", "create") else 1
    sentence = MAKING[command].format(following).replace("Colour", "Size").replace("Ms", "Other")
    assert sentence in ready(*again).output


def test_attributes(ready: Run) -> None:
    ready("attribute", "add", "Colour", "--list", "1", "--kind", "check_box", "--header-number", "900")
    ready("attribute", "add", "Size", "--list", "1", "--max-length", "3", "--header", "profile")
    ready("attribute", "add", "Born", "--list", "1", "--kind", "date", "--header", "Person")
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in ready("attribute", "list", "--list", "1").output.splitlines()
        if "│" in line
    ]
    assert rows == [
        ["1", "Colour", "check_box", "", "900", "Profile"],
        ["2", "Size", "text", "3", "900", "Profile"],
        ["3", "Born", "date", "", "1", "Person"],
    ]
    assert "already" in ready("attribute", "add", "SIZE", "--list", "1", code=1).output
    assert "header 900" in ready("attribute", "add", "X", "--list", "1", "--header-number", "7", code=1).output
    assert "--kind" in ready("attribute", "add", "X", "--list", "1", "--kind", "colour", code=2).output
    assert "no list 7" in ready("attribute", "list", "--list", "7", code=1).output
