"""The page about the tables says what is there, and what it tells to type gives what it shows."""

from __future__ import annotations

import importlib.util
import re
import sqlite3
import sys
import xml.etree.ElementTree as ET
from contextlib import closing
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.lists.lists import Lists
from soapstone.store.database import Database
from soapstone.store.tables import contacts, memberships, metadata

if TYPE_CHECKING:
    from tests.conftest import Served

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "tables.md").read_text(encoding="utf-8")
# A question in SQL, and the answer as the shell prints it.
QUESTIONS = re.findall(r"^```sql\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SVG = "{http://www.w3.org/2000/svg}"


@cache
def generator() -> ModuleType:
    """The script that writes the page and the picture."""
    spec = importlib.util.spec_from_file_location("tables_page", DOCS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass wants to find its module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def printed(cursor: sqlite3.Cursor) -> str:
    """An answer as `sqlite3 -header` prints it."""
    rows: list[Any] = [[name for name, *_ in cursor.description], *cursor]
    return "".join("|".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows)


def undated(answer: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?", "…", answer)


@pytest.mark.parametrize("table", metadata.tables)
def test_every_table_and_column_is_described(table: str) -> None:
    page = generator()
    assert page.WORDS[table]["row"].endswith(".")
    assert all(page.meaning(column) for column in metadata.tables[table].columns)


@pytest.mark.parametrize("table", metadata.tables)
def test_no_column_is_described_that_is_not_there(table: str) -> None:
    described = generator().WORDS[table].keys() - {"row", "place", "above", "custom"}
    assert described <= set(metadata.tables[table].columns.keys())


def test_page_and_picture_are_those_of_the_tables() -> None:
    page = generator()
    assert page.page() == PAGE, "run .venv/bin/python docs/tables.py"
    assert page.picture() == page.PICTURE.read_text(encoding="utf-8"), "run .venv/bin/python docs/tables.py"


def test_the_picture_has_a_box_for_each_table_and_a_line_for_each_reference() -> None:
    root = ET.parse(DOCS / "tables.svg").getroot()
    names = [each.text for each in root.iter(f"{SVG}text") if each.get("class") == "name"]
    assert sorted(map(str, names)) == sorted(metadata.tables)
    curves = [each for each in root.iter(f"{SVG}path") if " C" in each.get("d", "")]
    keys = [key for table in metadata.tables.values() for key in table.foreign_keys if key.parent.name != "account_id"]
    assert len(curves) == len(keys) > 10


def test_boxes_of_the_picture_do_not_overlap() -> None:
    boxes = generator()._boxes()
    for one in boxes:
        for other in boxes:
            assert one is other or one.x != other.x or one.y + one.height < other.y or other.y + other.height < one.y


@pytest.mark.parametrize(("question", "answer"), QUESTIONS, ids=[" ".join(sql.split())[:60] for sql, _ in QUESTIONS])
def test_questions_have_the_answers_that_the_page_shows(served: Served, question: str, answer: str) -> None:
    # Beside the running server and for reading only, as the page tells.
    with closing(sqlite3.connect(f"file:{served.data / 'soapstone.sqlite'}?mode=ro", uri=True)) as connection:
        assert undated(printed(connection.execute(question))) == undated(answer)


def test_all_questions_have_answers() -> None:
    assert len(QUESTIONS) == PAGE.count("```sql") > 8


def test_expressions_work_on_both_databases(database: Database, account: Account) -> None:
    here, moment = Lists(database).create(account.id, "List"), now()
    with database.write() as connection:
        values = {"account_id": account.id, "created_at": moment, "updated_at": moment}
        (contact,) = connection.execute(insert(contacts).values(values).returning(contacts.c.id)).one()
        member = {"list_id": here.id, "contact_id": contact, "account_id": account.id, "number": 1, "added_at": moment}
        connection.execute(insert(memberships).values(**member, state="subscribed", profile={"1": "green"}))
    table = PAGE.partition("## How values are kept")[2].partition("## ")[0]
    rows = re.findall(r"^\| .* \| `(.*)` \| `(.*)` \|$", table, re.MULTILINE)
    instant, document, flag = (row[0 if database.kind == "sqlite" else 1] for row in rows)
    with database.read() as connection:
        at, value = connection.execute(text(f"SELECT {instant}, {document} FROM membership")).one()
        connection.execute(text(f"SELECT 1 FROM login WHERE {flag}"))
    assert str(at)[:19] == f"{moment:%Y-%m-%d %H:%M:%S}"
    assert value == "green"


def test_the_page_about_scale_names_the_tables_without_an_account() -> None:
    page = (DOCS / "scale.md").read_text(encoding="utf-8")
    part = page.partition("Tables without `account_id`:")[2].partition("Keys that are unique")[0]
    named = {name for line in re.findall(r"^\| (`.*?`) \|", part, re.MULTILINE) for name in re.findall("`(.*?)`", line)}
    assert named == {name for name, table in metadata.tables.items() if "account_id" not in table.c}
