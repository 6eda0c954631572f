"""`soapstone import` and the headings of files: what is told, asked, refused and made."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from sqlalchemy import select
from tests.commands.test_imports import Run
from tests.imports.headings_of_products import FILES
from typer.testing import CliRunner, Result

from soapstone.cli import app
from soapstone.commands.column_questions import ask
from soapstone.imports.columns import Headings, Plan
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships

ROWS = "Mail,Shoe size,Vorname,Hat\nann@example.org,38,Ann,M\n"


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    product = Product.open(Settings(data_dir=tmp_path / "data"), database)
    account = product.accounts.create("ACME", time_zone="UTC")
    product.lists.create(account.id, "News")
    return product


@pytest.fixture
def run(product: Product, tmp_path: Path) -> Run:
    """`soapstone import` of a file with that content; fails the test unless the exit code is as expected."""

    def call(content: str, *options: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, arguments(product, tmp_path, content, options))
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return call


def arguments(product: Product, folder: Path, content: str, options: tuple[str, ...]) -> list[str]:
    file = folder / "people.csv"
    file.write_text(content, encoding="utf-8")
    url = product.database.url.render_as_string(hide_password=False)
    return ["import", str(file), *options, "--data", str(product.settings.data_dir), "--database", url]


def attributes(product: Product) -> dict[int, str]:
    return {each.id: each.name for each in product.profiles.attributes(1)}


def member(product: Product, email: str = "ann@example.org") -> dict[str, str]:
    """The fields of a member that are not blank, and the values of its attributes by their names."""
    columns = (contacts.c.first_name, contacts.c.last_name, contacts.c.company)
    query = select(*columns, memberships.c.profile)
    query = query.join(memberships, memberships.c.contact_id == contacts.c.id).where(contacts.c.email == email)
    with product.database.read() as connection:
        *fields, profile = connection.execute(query).one()
    found = {column.name: value for column, value in zip(columns, fields, strict=True) if value}
    names = attributes(product)
    return found | {names[int(number)]: value for number, value in profile.items()}


def test_without_a_terminal_the_columns_that_are_not_used_are_told(product: Product, run: Run) -> None:
    output = run(ROWS, "--list", "1").output
    assert "Not used: Shoe size, Hat (no such field or attribute).\n" in output
    assert member(product) == {"first_name": "Ann"}
    assert product.imports.spec(product.jobs.find()[0]).unused == ("Shoe size", "Hat")


def test_strict_stops_before_anything_is_stored(product: Product, run: Run) -> None:
    assert "Not used: Shoe size, Hat. Nothing was stored." in run(ROWS, "--list", "1", "--strict", code=1).output
    assert product.jobs.find() == []
    assert list(product.blobs.folder.iterdir()) == []
    run(ROWS, "--list", "1", "--strict", "--map", "1=E-mail", "--map", "3=Prénom")
    run("Email,Name\nbob@example.org,Bob Ray\n", "--list", "1", "--strict")
    run(ROWS, "--list", "1", "--strict", "--make-attributes")
    assert member(product) == {"first_name": "Ann", "Shoe size": "38", "Hat": "M"}


def test_attributes_are_made_on_request(product: Product, run: Run) -> None:
    assert "Would make attributes: Shoe size, Hat." in run(ROWS, "--list", "1", "--make-attributes", "--dry-run").output
    assert attributes(product) == {}
    output = run(ROWS, "--list", "1", "--make-attributes").output
    assert "Makes attributes: Shoe size, Hat.\n" in output
    assert "Not used" not in output
    assert member(product) == {"first_name": "Ann", "Shoe size": "38", "Hat": "M"}
    run("a,b\nann@example.org,7\n", "--list", "1", "--map", "1=Email", "--map", "2=Gloves", "--make-attributes")
    assert member(product)["Gloves"] == "7"
    for options in (["--no-list"], ["--list", "1", "--remove"]):
        assert "--make-attributes needs a list" in run(ROWS, *options, "--make-attributes", code=1).output


def test_whole_names(product: Product, run: Run) -> None:
    rows = "email,name\nann@example.org,Ann Lee\n"
    assert "Makes attributes: Name.\n" in run(rows, "--list", "1").output
    assert member(product) == {"Name": "Ann Lee"}
    run(rows.replace("ann@", "bob@"), "--list", "1", "--split-names")
    assert member(product, "bob@example.org") == {"first_name": "Ann", "last_name": "Lee", "Name": "Ann Lee"}
    assert "Not used: name" in run(rows, "--no-list").output


@pytest.mark.parametrize("name", ["Mailchimp", "Outlook, German", "listmonk"])
def test_files_of_other_programs(product: Product, run: Run, name: str) -> None:
    file = FILES[name]
    assert "1 rows, 1 good, 1 new" in run(file.text, "--list", "1").output
    expected = {key: file.fields[key] for key in ("first_name", "last_name", "company") if key in file.fields}
    assert member(product) == expected | file.attributes


def test_an_attribute_with_the_name_of_a_field_is_told(product: Product, run: Run) -> None:
    header = product.profiles.add_header(1, 1, "Work")
    number = product.profiles.add_attribute(1, 1, header, "Company")
    rows = "Email,company\nann@example.org,Acme\n"
    output = run(rows, "--list", "1").output
    assert "Used as contact fields, not as attributes of the same name: company.\n" in output
    assert member(product) == {"company": "Acme"}
    run(rows, "--list", "1", "--map", "1=Email", "--map", f"2=attribute:{number}")
    assert member(product) == {"company": "Acme", "Company": "Acme"}
    assert (
        "no profile attribute 77"
        in run(rows, "--list", "1", "--map", "1=Email", "--map", "2=attribute:77", code=1).output
    )


def test_a_file_without_the_address(product: Product, run: Run) -> None:
    output = run("First Name,Größe\nAnn,38\n", "--list", "1", code=1).output
    assert "The file has the headings First Name, Größe. Accepted are: Email, Email Address, Mail," in output
    assert product.jobs.find() == []


@pytest.mark.parametrize("given", ["x=Email", "0=Email", "Email", "1=", "²=Email"])
def test_maps_that_are_none(run: Run, given: str) -> None:
    assert "--map is COLUMN=FIELD" in run(ROWS, "--list", "1", "--map", given, code=1).output


def test_a_column_is_mapped_once(run: Run) -> None:
    assert "column 1 twice" in run(ROWS, "--list", "1", "--map", "1=Email", "--map", "1=Zip", code=1).output
    output = run(ROWS, "--list", "1", "--map", "1=Email", "--map", "2=Shoe size", code=1).output
    assert "There is no field or attribute Shoe size." in output


# --- questions at a terminal -----------------------------------------------------------------------------------------


def test_somebody_at_a_terminal_is_asked(product: Product, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "soapstone", *arguments(product, tmp_path, ROWS, ("--list", "1"))]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, b"m\n")
        shown = b""
        # Reading fails when the other end is closed.
        with contextlib.suppress(OSError):
            while block := os.read(ours, 1 << 16):
                shown += block
        os.close(ours)
    assert process.returncode == 0, shown
    assert b"These columns match no field or attribute: Shoe size, Hat." in shown
    assert member(product) == {"first_name": "Ann", "Shoe size": "38", "Hat": "M"}


COLUMNS = {0: "Mail", 1: "Shoe size", 2: "Vorname", 3: "Hat\x1b[2J"}


def answered(headings: Headings, typed: str) -> tuple[Plan | int, str]:
    """The plan after these lines, or the exit code; and what was shown."""
    plan = headings.read(COLUMNS, "email")
    with CliRunner().isolation(input=typed) as (shown, *_):
        try:
            end: Plan | int = ask(headings, plan)
        except (typer.Exit, typer.Abort) as ended:
            end = getattr(ended, "exit_code", 1)
        return end, shown.getvalue().decode()


def test_one_question_for_all_columns() -> None:
    for typed in ("\n", "l\n", "what\nL\n"):
        plan, shown = answered(Headings([]), typed)
        assert isinstance(plan, Plan)
        assert (list(plan.unused), plan.new) == ([1, 3], {})
        assert "Leave them out (l), make attributes (m), ask for each (e), stop (s) [l]: " in shown
        assert "\x1b" not in shown
    plan, _ = answered(Headings([]), "m\n")
    assert isinstance(plan, Plan)
    assert (plan.unused, list(plan.new)) == ({}, [1, 3])
    for typed in ("s\n", ""):
        assert answered(Headings([]), typed)[0] == 1


def test_questions_for_each_column() -> None:
    plan, shown = answered(Headings([]), "e\nMail\nShoe\nCompany Name\n+\n")
    assert isinstance(plan, Plan)
    assert "Column 2, Shoe size: a field or attribute, + for a new attribute, or nothing: " in shown
    assert "Another column of the file goes to Mail.\n" in shown
    assert "There is no field or attribute Shoe.\n" in shown
    assert {column.index: column.target for column in plan.columns} == {0: "email", 1: "company", 2: "first_name"}
    assert (plan.unused, list(plan.new)) == ({}, [3])
    plan, shown = answered(Headings([]), "e\n\ncity\n")
    assert isinstance(plan, Plan)
    assert (plan.unused, {column.target for column in plan.columns}) == (
        {1: "Shoe size"},
        {"email", "first_name", "city"},
    )


def test_without_a_list_no_attributes_are_offered() -> None:
    plan, shown = answered(Headings(None), "m\ne\n+\n\n\n")
    assert isinstance(plan, Plan)
    assert "make attributes" not in shown
    assert "There is no field or attribute +.\n" in shown
    assert (list(plan.unused), plan.new) == ([1, 3], {})
