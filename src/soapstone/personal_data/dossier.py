"""All stored data of one person, as one JSON document: what the person may request."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from soapstone.accounts.account import Account
from soapstone.addresses import address_key
from soapstone.contacts.erased_addresses import erased_among
from soapstone.errors import NotFoundError
from soapstone.imports.outcomes import NAMES
from soapstone.imports.parts import unpack_codes, unpack_lines, unpack_numbers
from soapstone.personal_data.traces import NOBODY, Traces
from soapstone.sending.folder.mail_store import MailStore
from soapstone.sending.folder.outbox import draft_file, mail_name
from soapstone.store.database import Database
from soapstone.store.tables import (
    PERSON_FIELDS,
    bounces,
    contact_events,
    contacts,
    import_parts,
    jobs,
    lists,
    mail_events,
    memberships,
    messages,
    object_mappings,
    opt_outs,
    profile_attributes,
    rejected_rows,
    review_addresses,
    saved_searches,
    sign_ups,
    suppressions,
    tracked_links,
)
from soapstone.vocabulary.tracking import MailEventKind


class Dossiers:
    """Collects the data of a person. `drafts` is the folder of mails that are not sent yet."""

    def __init__(self, database: Database, mails: MailStore, drafts: Path) -> None:
        self._database = database
        self._mails, self._drafts = mails, drafts

    def of(self, account: Account, who: int | str) -> dict[str, Any]:
        """Return the document of a contact, by number or by address. Raises NotFoundError.

        Times are in UTC, in the form of RFC 3339; empty fields of a contact are left out.
        """
        with self._database.read() as connection:
            traces = Traces.of(connection, account, who)
            ledger = list(traces.ledger(connection))
            document = {
                "contacts": _contacts(connection, traces),
                "addresses": sorted(traces.keys),
                "memberships": _memberships(connection, traces),
                "history": _of_contacts(connection, contact_events, traces),
                "opt_outs": _of_contacts(connection, opt_outs, traces),
                "suppressions": _of_addresses(connection, suppressions, traces),
                "review_copies": _of_addresses(connection, review_addresses, traces),
                "sign_ups": [
                    row for row in _of_account(connection, sign_ups, traces) if address_key(row["email"]) in traces.keys
                ],
                "saved_searches": [
                    row for row in _of_account(connection, saved_searches, traces) if traces.in_value(row["criteria"])
                ],
                "mappings": [
                    row
                    for row in _of_account(connection, object_mappings, traces)
                    if row["own_id"] in traces.contact_ids
                ],
                "mails": [self._mailed(connection, row) for row in ledger],
                "imports": _imported(connection, traces),
                "rejected_rows": _rejected(connection, traces),
                "deleted_before": bool(erased_among(connection, account.id, traces.keys)),
            }
        if not any(value for name, value in document.items() if name != "addresses"):
            raise NotFoundError(NOBODY)
        return document

    def _mailed(self, connection: Connection, row: Any) -> dict[str, Any]:
        query = select(messages.c.name, messages.c.subject).where(messages.c.id == row.message_id)
        message = connection.execute(query).one()
        contents = []
        with suppress(FileNotFoundError):
            contents.append(self._mails.read(mail_name(row.job_id, row.id))[0])
        with suppress(FileNotFoundError):
            contents.append(draft_file(self._drafts, row.job_id, row.id).read_bytes())
        return {
            "send": row.job_id,
            "message": message.name,
            "subject": message.subject,
            "email": row.email,
            "fields": row.fields,
            "state": row.state,
            "reason": row.reason,
            "reply": row.reply,
            "handed_at": _shown(row.handed_at),
            "bounce": _bounce(connection, row.id),
            "events": _events(connection, row.id),
            "content": [content.decode("utf-8", "replace") for content in contents],
        }


def _bounce(connection: Connection, delivery_id: int) -> dict[str, Any] | None:
    names = ("at", "class", "reason", "code", "detail")
    query = select(*(bounces.c[name] for name in names)).where(bounces.c.delivery_id == delivery_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else {name: _shown(row[name]) for name in names}


def _events(connection: Connection, delivery_id: int) -> list[dict[str, Any]]:
    """Return what the recipient of a mail did, with the URL of a click."""
    event = mail_events.c
    query = (
        select(event.kind, event.at, tracked_links.c.url)
        .join(tracked_links, tracked_links.c.id == event.link_id, isouter=True)
        .where(event.delivery_id == delivery_id)
    )
    order = [kind.value for kind in MailEventKind]
    # A click proves an open, which has the same date then.
    rows = sorted(connection.execute(query), key=lambda row: (row.at, order.index(row.kind)))
    return [{"kind": row.kind, "at": _shown(row.at)} | ({"url": row.url} if row.url else {}) for row in rows]


def _contacts(connection: Connection, traces: Traces) -> list[dict[str, Any]]:
    found = connection.execute(select(contacts).where(contacts.c.id.in_(traces.contact_ids))).mappings()
    plain = ("id", "email", "custom_id", *PERSON_FIELDS, "created_at", "updated_at", "text_only", "unsubscribed_at")
    return [
        {name: _shown(row[name]) for name in (*plain, "channels_shut", "suppressed_at") if row[name] not in ("", None)}
        for row in found
    ]


def _memberships(connection: Connection, traces: Traces) -> list[dict[str, Any]]:
    query = select(memberships, lists.c.name).join(lists, lists.c.id == memberships.c.list_id)
    rows = connection.execute(query.where(memberships.c.contact_id.in_(traces.contact_ids))).mappings().all()
    of_lists = profile_attributes.c.list_id.in_({row["list_id"] for row in rows})
    names = select(profile_attributes.c.id, profile_attributes.c.name).where(of_lists)
    attributes = {str(number): name for number, name in connection.execute(names)}
    shown = []
    for row in rows:
        profile = {attributes.get(number, number): value for number, value in row["profile"].items()}
        shown.append({name: _shown(value) for name, value in row.items()} | {"profile": profile})
    return shown


def _imported(connection: Connection, traces: Traces) -> list[dict[str, Any]]:
    """Return the rows of imports about the person, by job and line."""
    wanted = set(traces.contact_ids)
    query = select(import_parts).join(jobs, jobs.c.id == import_parts.c.job_id).where(traces.jobs())
    found = []
    for part in connection.execute(query):
        numbers = unpack_numbers(part.contact_ids)
        if wanted.isdisjoint(numbers):
            continue
        lines, codes = unpack_lines(part.lines), unpack_codes(part.outcomes)
        found += [
            {"job": part.job_id, "line": lines[place], "outcome": NAMES[codes[place]]}
            for place, number in enumerate(numbers)
            if number in wanted
        ]
    return sorted(found, key=itemgetter("job", "line"))


def _rejected(connection: Connection, traces: Traces) -> list[dict[str, Any]]:
    mine = rejected_rows.c.job_id.in_(select(jobs.c.id).where(traces.jobs()))
    query = select(rejected_rows).where(mine, traces.holds(rejected_rows.c.fields))
    rows = connection.execute(query.order_by(rejected_rows.c.job_id, rejected_rows.c.line)).mappings()
    return [dict(row) for row in rows if traces.in_value(row["fields"])]


def _of_contacts(connection: Connection, table: Table, traces: Traces) -> list[dict[str, Any]]:
    return _rows(connection, table, table.c.contact_id.in_(traces.contact_ids))


def _of_addresses(connection: Connection, table: Table, traces: Traces) -> list[dict[str, Any]]:
    return _rows(connection, table, (table.c.account_id == traces.account.id) & table.c.email_key.in_(traces.keys))


def _of_account(connection: Connection, table: Table, traces: Traces) -> list[dict[str, Any]]:
    return _rows(connection, table, table.c.account_id == traces.account.id)


def _rows(connection: Connection, table: Table, condition: Any) -> list[dict[str, Any]]:
    return [_row(row) for row in connection.execute(select(table).where(condition)).mappings()]


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: _shown(value) for name, value in row.items() if name != "account_id"}


def _shown(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
