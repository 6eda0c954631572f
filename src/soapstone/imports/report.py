"""The report of an import: the outcome of every row, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from soapstone.accounts.account import Login
from soapstone.accounts.visibility import of_visible_person
from soapstone.address_repair import repaired
from soapstone.addresses import address_key
from soapstone.imports.outcomes import CODES, NAMES
from soapstone.imports.parts import unpack_codes, unpack_lines, unpack_numbers
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.job import Job
from soapstone.store.database import Database
from soapstone.store.tables import contacts, import_parts, memberships, rejected_rows

# Values in one statement, within the limits of both databases.
MOST_VALUES = 5000


@dataclass(frozen=True, kw_only=True)
class RowOutcome:
    """The outcome of a row.

    `line` is its first physical line, `contact_id` its contact and `number` that contact's 32-bit number on the
    import's list (lk-35); None if missing. `email` is the contact's current address, or the row's own for a row without
    a contact. A contact that the login does not see counts as missing.
    """

    line: int
    outcome: str
    contact_id: int | None
    number: int | None
    email: str


def outcomes(
    database: Database, job: Job, wanted: Collection[str] | None, offset: int, limit: int, login: Login | None = None
) -> list[RowOutcome]:
    """Return rows with one of the outcomes (None = all), in the order of the file, as the login sees them.

    Chunks before the page are skipped by their counts alone, so every page costs about the same.
    """
    with database.read() as connection:
        found = list(_rows(connection, job, wanted, offset, limit))
        return [
            row
            for start in range(0, len(found), MOST_VALUES)
            for row in _told(connection, job, found[start : start + MOST_VALUES], login)
        ]


def _rows(
    connection: Connection, job: Job, wanted: Collection[str] | None, offset: int, limit: int
) -> Iterator[tuple[int, str, int]]:
    """Return physical line, outcome and contact (0 for none) of rows."""
    part = import_parts.c
    codes = None if wanted is None else {CODES[name] for name in wanted}
    for firsts, counts in _groups(connection, job):
        count = counts.total() if wanted is None else sum(counts[name] for name in wanted)
        if offset >= count:
            offset -= count
            continue
        packed = select(part.lines, part.outcomes, part.contact_ids).where(part.job_id == job.id)
        lines, outcome_codes, contact_ids = list[int](), bytearray(), list[int]()
        for each in connection.execute(packed.where(part.first_row.in_(firsts))):
            lines += unpack_lines(each.lines)
            outcome_codes += unpack_codes(each.outcomes)
            contact_ids += unpack_numbers(each.contact_ids)
        positions = [n for n, code in enumerate(outcome_codes) if codes is None or code in codes]
        positions.sort(key=lines.__getitem__)
        for n in positions[offset : offset + limit]:
            yield lines[n], NAMES[outcome_codes[n]], contact_ids[n]
        limit -= len(positions[offset : offset + limit])
        offset = 0
        if limit <= 0:
            return


def _groups(connection: Connection, job: Job) -> Iterator[tuple[list[int], Counter[str]]]:
    """Yield the parts whose rows stand between each other's, by their first rows, and their rows per outcome.

    All rows of one group are before those of the next.
    """
    part = import_parts.c
    query = select(part.first_row, part.rows, part.counts).where(part.job_id == job.id).order_by(part.first_row)
    # The chunk behind it may lack rows.
    complete, before = job.checkpoint.get("complete", job.checkpoint.get("done", 0)), 0
    firsts, found = list[int](), Counter[str]()
    for first, rows, counts in connection.execute(query).all():
        # All rows before this one are in the parts before it: no others are.
        if firsts and first == before and first <= complete:
            yield firsts, found
            firsts, found = [], Counter()
        firsts.append(first)
        found.update(counts)
        before += rows
    if firsts:
        yield firsts, found


def _told(
    connection: Connection, job: Job, rows: Sequence[tuple[int, str, int]], login: Login | None
) -> list[RowOutcome]:
    ids = [contact_id for _, _, contact_id in rows if contact_id]
    emails = _emails(connection, ids, login)
    own = _own_addresses(connection, job, [line for line, _, contact_id in rows if contact_id not in emails])
    same = _contacts_of(connection, job, {address_key(email) for email in own.values() if email}, login)
    numbered = [
        contact_id if contact_id in emails else same.get(address_key(own.get(line, "")), 0)
        for line, _, contact_id in rows
    ]
    emails |= _emails(connection, list(same.values()), login)
    ids = [contact_id for contact_id in numbered if contact_id]
    member = memberships.c
    query = select(member.contact_id, member.number).where(member.list_id == job.list_id, member.contact_id.in_(ids))
    numbers = _pairs(connection, query) if job.list_id is not None else {}
    return [
        RowOutcome(
            line=line,
            outcome=outcome,
            contact_id=contact_id if contact_id in emails else None,
            number=numbers.get(contact_id),
            email=own[line] if line in own else emails.get(contact_id, ""),
        )
        for (line, outcome, _), contact_id in zip(rows, numbered, strict=True)
    ]


def _emails(connection: Connection, contact_ids: Sequence[int], login: Login | None) -> dict[int, str]:
    """Return the addresses of the contacts that the login sees."""
    query = select(contacts.c.id, contacts.c.email).where(contacts.c.id.in_(contact_ids), *of_visible_person(login))
    return _pairs(connection, query)


def _own_addresses(connection: Connection, job: Job, lines: Sequence[int]) -> dict[int, str]:
    """Return the addresses in rejected rows, by line."""
    spec = ImportSpec.of(job.request)
    columns = [column for column in spec.columns if column.target == "email"]
    table = rejected_rows
    query = select(table.c.line, table.c.fields).where(table.c.job_id == job.id, table.c.line.in_(lines))
    found = {}
    for line, fields in connection.execute(query):
        values = [fields[column.index] if column.index < len(fields) else "" for column in columns]
        own = "".join(values).strip() or "".join(column.default for column in columns)
        found[line] = repaired(own) if spec.repair else own
    return found


def _contacts_of(connection: Connection, job: Job, keys: Collection[str], login: Login | None) -> dict[str, int]:
    """Return the account's contacts with these addresses that the login sees: of several the oldest."""
    if not keys:
        return {}
    mine = contacts.c.account_id == job.account_id
    found: dict[str, int] = {}
    for column, condition in (
        (contacts.c.unique_email, contacts.c.unique_email.in_(keys)),
        (contacts.c.email_key, contacts.c.email_key.in_(keys) & contacts.c.unique_email.is_(None)),
    ):
        query = select(column, func.min(contacts.c.id)).where(mine, condition, *of_visible_person(login))
        found |= _pairs(connection, query.group_by(column))
    return found


def _pairs(connection: Connection, query: Select[tuple[Any, Any]]) -> dict[Any, Any]:
    return {row[0]: row[1] for row in connection.execute(query)}
