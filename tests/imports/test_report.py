"""The report tells of every row, whatever page and class of outcomes is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import select

from soapstone.accounts.account import Account, Accounts
from soapstone.contacts.suppressions import Suppressions
from soapstone.imports.imports import Imports
from soapstone.imports.outcomes import CODES
from soapstone.imports.parts import (
    pack_codes,
    pack_lines,
    pack_numbers,
    unpack_codes,
    unpack_lines,
    unpack_numbers,
)
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.lists.lists import ContactList, Lists
from soapstone.store.database import Database
from soapstone.store.tables import import_parts
from soapstone.vocabulary.rows import ImportOutcome

EMAIL = Column(index=1, target="email")
NAME = Column(index=0, target="first_name")
SPEC = ImportSpec(columns=(EMAIL, NAME), known="overwrite", blocked="skip", identified_by="email")
RunFile = Callable[..., Job]


def test_every_row_has_one_outcome_with_its_line_contact_and_address(
    database: Database, imports: Imports, account: Account, newsletter: ContactList, run_file: RunFile
) -> None:
    """lk-95."""
    Suppressions(database).add(account.id, "stop@x.com")
    run_file(account, newsletter, b"Ann,a@x.com\nBob,b@x.com\n", SPEC)
    data = b'Anna,A@x.com\nBob,b@x.com\n"C\nem",c@x.com\n\nDan,c@x.com\nbad,bad\nx,stop@x.com\nshort\n'
    job = run_file(account, newsletter, data, SPEC, chunk_rows=3)
    rows = imports.outcomes(job.id)
    assert [(row.line, row.outcome, row.email, row.number) for row in rows] == [
        (1, "updated", "a@x.com", 1),
        (2, "unchanged", "b@x.com", 2),
        (3, "duplicate", "c@x.com", 3),
        (6, "added", "c@x.com", 3),
        (7, "invalid_address", "bad", None),
        (8, "suppressed", "stop@x.com", None),
        (9, "missing_key", "", None),
    ]
    assert rows[2].contact_id == rows[3].contact_id is not None
    assert Counter(row.outcome for row in rows) == job.counters
    with database.read() as connection:
        found = connection.execute(select(import_parts.c.counts).where(import_parts.c.job_id == job.id)).scalars()
        assert sum(map(Counter, found), Counter()) == job.counters


@pytest.mark.parametrize("identifier", ["email", "custom_id"])
def test_a_login_is_told_of_nobody_whom_it_does_not_see(
    database: Database, imports: Imports, run_file: RunFile, identifier: str
) -> None:
    """lk-9, lk-95: a row may name anybody, and a trial run changes nothing."""
    accounts, lists = Accounts(database), Lists(database)
    account = accounts.create("OTHER", time_zone="UTC", identifier=identifier)
    mine, other = lists.create(account.id, "Mine"), lists.create(account.id, "Other")
    bea = accounts.add_login(account, "bea", "secret", lists=[mine.id])
    both = (Column(index=0, target="custom_id"), EMAIL)
    run_file(account, other, b"C1,hidden@x.com\n", ImportSpec(columns=both))
    run_file(account, mine, b"C2,seen@x.com\n", ImportSpec(columns=both))
    data = b"C1,hidden@x.com\nC2,seen@x.com\n"
    key = both[:1] if identifier == "custom_id" else both[1:]
    for spec in (ImportSpec(columns=key, dry_run=True), ImportSpec(columns=key, action="update")):
        job = run_file(account, mine, data, spec)
        hidden, seen = imports.outcomes(job.id)
        assert (hidden.contact_id, seen.contact_id) == (1, 2)
        told, same = imports.outcomes(job.id, login=bea)
        assert (told.contact_id, told.number, same) == (None, None, seen)
        # What the file itself says is no secret.
        assert told.email == ("hidden@x.com" if told.outcome == "not_on_list" and identifier == "email" else "")


@pytest.mark.parametrize("wanted", [None, {"added"}, {"duplicate", "invalid_address"}, {"banned"}])
@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize(("chunk_rows", "stage_rows"), [(7, 7), (20, 1), (40, 6)])
def test_pages_are_cut_from_one_sequence(
    imports: Imports,
    account: Account,
    newsletter: ContactList,
    run_file: RunFile,
    wanted: set[str] | None,
    size: int,
    chunk_rows: int,
    stage_rows: int,
) -> None:
    lines = [f"N{n},{'bad' if n % 5 == 0 else f'p{n % 17}@x.com'}\n" for n in range(40)]
    data = "".join(lines).encode()
    job = run_file(account, newsletter, data, SPEC, chunk_rows=chunk_rows, stage_rows=stage_rows)
    assert [row.line for row in imports.outcomes(job.id)] == list(range(1, 41))
    everything = [row for row in imports.outcomes(job.id) if wanted is None or row.outcome in wanted]
    pages = [imports.outcomes(job.id, wanted, offset=offset, limit=size) for offset in range(0, 45, size)]
    assert [row for page in pages for row in page] == everything
    assert all(len(page) == size for page in pages[: len(everything) // size])


def test_every_outcome_has_a_code_of_its_own() -> None:
    assert set(CODES) == set(ImportOutcome)
    assert len(set(CODES.values())) == len(CODES)


def test_what_is_packed_is_unpacked() -> None:
    lines, ids, codes = [1, 2, 5, 1 << 40], [0, 7, -1, 1 << 62], bytes(range(200))
    assert unpack_lines(pack_lines(lines)) == lines
    assert list(unpack_numbers(pack_numbers(ids))) == ids
    assert unpack_codes(pack_codes(codes)) == codes
    assert unpack_lines(pack_lines([])) == []
