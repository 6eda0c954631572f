"""What the contracts only read is made by commands: settings of accounts, categories, searches, events and the like."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from soapstone.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands with an account and a list."""
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

    call("account", "create", "acme", "--login", "ann", "--password-file", "PASSWORD")
    call("list", "create", "News", "--from-address", "news@example.com")
    return call


def test_settings_of_an_account(run: Run) -> None:
    changed = run(
        "account", "change", "--unsubscribe-type", "lists", "--identifier", "custom_id", "--label", "Zip=Code"
    )
    assert "lists" in changed.output
    assert "custom_id" in changed.output
    assert "one of" in run("account", "change", "--unsubscribe-type", "some", code=2).output
    assert "time zone" in run("account", "change", "--time-zone", "Nowhere/Else", code=1).output
    assert "FIELD=LABEL" in run("account", "change", "--label", "Shoe=Size", code=1).output


def test_tracking_of_accounts_and_lists(run: Run) -> None:
    def of_list(place: int = 0) -> str:
        return str(json.loads(run("list", "list", "--json").output)[place]["tracking"])

    assert "tracking is figures" in run("account", "change", "--tracking", "figures").output
    assert "one of" in run("account", "change", "--tracking", "some", code=2).output
    assert of_list() == ""
    run("list", "edit", "1", "--tracking", "off")
    assert of_list() == "off"
    run("list", "edit", "1", "--tracking", "account")
    assert of_list() == ""
    run("list", "create", "Quiet", "--tracking", "figures")
    assert of_list(-1) == "figures"


def test_the_identifier_stays_once_there_are_contacts(run: Run, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Email\nann@example.com\n")
    run("import", str(people), "--list", "1")
    assert "contacts" in run("account", "change", "--identifier", "custom_id", code=1).output


def test_permissions(run: Run) -> None:
    def shown() -> list[str]:
        row = next(line for line in run("account", "logins").output.splitlines() if "ann" in line)
        return [cell.strip() for cell in row.split("│")[2:-1]]

    run("account", "permit", "ann", "--no-analytics", "--list", "1")
    assert shown() == ["ann", "yes", "no", "yes", "no", "no", "1"]
    run("account", "permit", "ann", "--analytics", "--no-console", "--all-lists")
    assert shown() == ["ann", "yes", "yes", "no", "no", "no", "all"]
    run("account", "permit", "ann", "--choose-numbers")
    assert shown() == ["ann", "yes", "yes", "no", "yes", "no", "all"]
    run("account", "permit", "ann", "--no-choose-numbers")
    assert "disabled" in run("account", "disable-login", "ann").output
    assert shown() == ["ann", "yes", "yes", "no", "no", "yes", "all"]
    assert "enabled" in run("account", "enable-login", "ann").output
    assert shown() == ["ann", "yes", "yes", "no", "no", "no", "all"]
    for command in ("disable-login", "enable-login"):
        assert "no login bob" in run("account", command, "bob", code=1).output
    assert "no login" in run("account", "permit", "bob", "--no-api", code=1).output
    assert "no list 9" in run("account", "permit", "ann", "--list", "9", code=1).output


def test_a_login_is_deleted(run: Run, tmp_path: Path) -> None:
    password = tmp_path / "secret"
    password.write_text("secret")
    run("account", "login", "bob", "--no-console", "--password-file", str(password))
    assert "Aborted" in run("account", "delete-login", "bob", code=1).output
    assert "Login bob is deleted." in run("account", "delete-login", "bob", "--yes").output
    assert "no login bob" in run("account", "delete-login", "bob", "--yes", code=1).output
    assert "no login bob" in run("token", "create", "bob", "shop", code=1).output
    assert "bob" not in run("account", "logins").output
    assert "has no login left" in run("account", "delete-login", "ann", "--yes").output


def test_the_audit_trail(run: Run) -> None:
    run("account", "permit", "ann", "--no-console")
    lines = run("account", "audit").output.splitlines()
    assert "account ACME is created" in next(line for line in lines if "rights" in line)
    last = [cell.strip() for cell in [line for line in lines if "│" in line][-1].split("│")[2:-1]]
    assert last == ["(command line)", "", "rights", "login ann is changed: may_use_console=False"]
    assert len([line for line in run("account", "audit", "--limit", "1").output.splitlines() if "rights" in line]) == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 256])
def test_names_of_accounts_logins_and_lists(run: Run, name: str) -> None:
    before = run("account", "list", "--json").output
    for command in (
        ("account", "create", name, "--login", "bob"),
        ("account", "create", "other", "--login", name),
        ("account", "login", name),
        ("list", "create", name),
        ("list", "edit", "1", "--name", name),
        ("occasion", "add", name),
    ):
        password = ("--password-file", "PASSWORD") if command[0] == "account" else ()
        assert run(*command, *password, code=1).output.startswith("The name of the ")
    assert run("account", "list", "--json").output == before
    assert [each["name"] for each in json.loads(run("list", "list", "--json").output)] == ["News"]


def test_categories(run: Run) -> None:
    assert "Category 1" in run("category", "add", "Clubs").output
    assert "Category 1" in run("category", "add", "Offers", "--messages").output
    run("category", "put", "1", "--list", "1")
    run("category", "use", "1", "--inactive")
    assert "Clubs" in run("category", "list").output
    assert "Offers" in run("category", "list", "--messages").output
    assert "no category 7" in run("category", "put", "7", "--list", "1", code=1).output
    run("category", "delete", "1")
    assert "no category" in run("category", "delete", "1", code=1).output
    run("category", "delete", "1", "--messages")
    assert "missing" in run("category", "add", " ", code=1).output


def test_searches(run: Run, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Email,Last_Name\nann@example.com,Miller\nbob@example.com,Smith\n")
    run("import", str(people), "--list", "1")
    found = run("search", "find", "last_name=mil*").output
    assert "ann@example.com" in found
    assert "bob@example.com" not in found
    run("search", "save", "Millers", "Last_Name=Mil*")
    assert "already" in run("search", "save", "Millers", "Last_Name=x", code=1).output
    assert "last_name=Mil*" in run("search", "list").output
    assert "FIELD=VALUE" in run("search", "find", "shoe=1", code=1).output
    run("search", "delete", "Millers")
    assert "no search" in run("search", "delete", "Millers", code=1).output


def test_things_of_a_list(run: Run) -> None:
    run("event", "add", "Bought", "--list", "1")
    run("event", "block", "1")
    assert "blocked" in run("event", "list", "--list", "1").output
    run("event", "block", "1", "--active")
    assert "active" in run("event", "list", "--list", "1").output
    assert "no list 9" in run("event", "add", "Bought", "--list", "9", code=1).output
    run("campaign", "add", "Spring", "--list", "1")
    run("campaign", "rename", "1", "Summer")
    assert "Summer" in run("campaign", "list", "--list", "1").output
    run("campaign", "delete", "1")
    assert "no campaign" in run("campaign", "delete", "1", code=1).output
    run("review", "add", "boss@example.com", "--list", "1")
    assert run("review", "list", "--list", "1").output.split() == ["boss@example.com"]
    run("review", "remove", "BOSS@example.com", "--list", "1")
    assert "does not" in run("review", "remove", "boss@example.com", "--list", "1", code=1).output
    assert "not an" in run("review", "add", "boss", "--list", "1", code=1).output
    run("review", "add", "Boss <boss@example.com>", "--list", "1")
    assert run("review", "list", "--list", "1").output.split() == ["boss@example.com"]
    run("review", "remove", "mailto:boss@example.com", "--list", "1")


def test_mappings_and_occasions(run: Run) -> None:
    run("mapping", "add", "Committee", "C7", "1", "--own-name", "News")
    assert "Committee" in run("mapping", "list").output
    run("mapping", "delete", "1")
    assert "no mapping" in run("mapping", "delete", "1", code=1).output
    run("occasion", "add", "Party")
    run("occasion", "close", "1")
    assert "no" in run("occasion", "list").output
    run("occasion", "close", "1", "--open")
    assert "E-mail" in run("occasion", "people", "1").output
    assert "no occasion" in run("occasion", "people", "7", code=1).output


def test_doubles_are_told_of_and_merged_on_request(run: Run, tmp_path: Path) -> None:
    """lk-64: contacts of one mailbox, as an upgrade may find them."""
    data = tmp_path / "data"
    people = tmp_path / "people.csv"
    people.write_text("Email\nann@bücher.example\nbob@example.com\n", encoding="utf-8")
    run("import", str(people), "--list", "1")
    assert "doubles" not in run("db", "check").output
    assert "no duplicates" in run("account", "merge-doubles").output
    connection = sqlite3.connect(data / "soapstone.sqlite")
    connection.execute(
        "INSERT INTO contact (account_id, email, email_key, double_of, created_at, updated_at)"
        " SELECT 1, email_key, email_key, id, created_at, updated_at FROM contact WHERE email LIKE 'ann@%'"
    )
    connection.commit()
    connection.close()
    told = run("db", "check").output
    assert "Duplicates in account ACME: 1" in told
    assert 'soapstone account merge-doubles --account "ACME"' in told
    assert "undone" in run("account", "merge-doubles", code=1).output
    merged = run("account", "merge-doubles", "--yes").output
    assert merged.startswith("Merged into contact 1 ann@bücher.example: 3 ann@xn--bcher-kva.example.")
    assert "no duplicates" in run("account", "merge-doubles").output
    assert "doubles" not in run("db", "check").output


def test_a_shut_channel_is_opened(run: Run, tmp_path: Path) -> None:
    """mm-125"""
    file = tmp_path / "people.csv"
    file.write_text("Email\nann@example.com\n")
    run("import", str(file), "--list", "1")
    asked = ("contact", "open-channel", "Ann@example.com")
    assert "No sms channel of Ann@example.com is shut" in run(*asked, "sms", code=1).output
    with closing(sqlite3.connect(tmp_path / "data" / "soapstone.sqlite")) as records, records:
        records.execute("UPDATE contact SET channels_shut = 'email sms'")
    assert "The sms channel of Ann@example.com is open." in run(*asked, "sms").output
    assert "is open" in run("contact", "open-channel", "1", "email").output
    assert "one of" in run(*asked, "letter", code=2).output
