"""The stage: what a value holds arrives as it is, whatever format carries it to the database."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine.interfaces import CacheStats

from soapstone.accounts.account import Account
from soapstone.imports.formulas import escaped
from soapstone.imports.spec import Column, ImportSpec
from soapstone.imports.stage import BLOCK_ROWS
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import contacts

ODD = ["\\N", "\\.", "\\", "a\tb", "a\nb", "a\rb", "a\r\nb", "\\t", '"', "", "É 😀", "\t", "\n\\"]
COLUMNS = tuple(Column(index=n, target=target) for n, target in enumerate(("email", "first_name", "last_name")))
ADD = ImportSpec(columns=COLUMNS, known="overwrite")


@pytest.mark.parametrize("spec", [ADD, replace(ADD, blocked="skip")])
@pytest.mark.parametrize("at", [0, BLOCK_ROWS - 1, BLOCK_ROWS, 2 * BLOCK_ROWS])
def test_odd_values_arrive_as_they_are(
    database: Database,
    account: Account,
    newsletter: ContactList,
    run_file: Callable[..., Job],
    spec: ImportSpec,
    at: int,
) -> None:
    """Among plain rows, in each part of a text for COPY."""
    names = {f"p{n:05}@x.com": ("plain", "") for n in range(2 * BLOCK_ROWS + 100)}
    names |= {f"p{at + n:05}@x.com": (value, value[::-1]) for n, value in enumerate(ODD)}
    text = io.StringIO()
    # A value \N that is meant is written as in our own files.
    csv.writer(text).writerows(escaped([email, *both]) for email, both in names.items())
    job = run_file(account, newsletter, text.getvalue().encode(), spec)
    assert job.counters["added"] == len(names)
    with database.read() as connection:
        found = connection.execute(select(contacts.c.email, contacts.c.first_name, contacts.c.last_name)).all()
    assert {email: (first, last) for email, first, last in found} == names


def test_no_statement_is_compiled_for_an_import_like_an_earlier_one(
    database: Database, account: Account, newsletter: ContactList, run_file: Callable[..., Job]
) -> None:
    """To compile those of the merge takes longer than the merge of a short file."""
    other = Lists(database).create(account.id, "Other")
    run_file(account, newsletter, b"a@x.com,Ann,A\nb@x.com,Ben,B\n", ADD)
    executed: list[str] = []
    compiled: list[str] = []

    def look(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        executed.append(statement)
        # A statement that goes to the driver directly has no context: nothing compiles it.
        if context is not None and context.cache_hit is CacheStats.CACHE_MISS:
            compiled.append(statement)

    event.listen(database.engine, "after_cursor_execute", look)
    job = run_file(account, other, b"c@x.com,Cem,C\nd@x.com,Dora,D\n", ADD)
    assert job.counters["added"] == 2
    assert [statement for statement in executed if "import_matched" in statement]
    assert compiled == []
