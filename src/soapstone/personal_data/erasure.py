"""Erasure of a person: only keyed hashes of its addresses and anonymous counts stay.

docs/people.md lists what is deleted and what is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from soapstone.accounts.account import Account
from soapstone.accounts.audit import Actor, AuditAction, record
from soapstone.addresses import address_key
from soapstone.contacts.changes import Change, Changes
from soapstone.contacts.erased_addresses import erased_among, remember
from soapstone.errors import ConflictError, NotFoundError
from soapstone.imports.parts import unpack_numbers
from soapstone.personal_data.traces import NOBODY, Traces, some
from soapstone.sending.folder.mail_store import MailStore
from soapstone.sending.folder.outbox import draft_file, mail_name
from soapstone.store.blobs import Blobs
from soapstone.store.database import Database
from soapstone.store.tables import (
    bounces,
    contact_events,
    contacts,
    deliveries,
    idempotent_answers,
    import_parts,
    incoming_mails,
    jobs,
    memberships,
    object_mappings,
    opt_outs,
    rejected_rows,
    review_addresses,
    saved_searches,
    sends,
    sign_ups,
    suppressions,
)
from soapstone.tracking.figures import FigureChanges
from soapstone.vocabulary.contacts import ContactEventKind

# A mail in one of these states may still go out while its send is not over.
UNDER_WAY = ("chosen", "built", "handing", "deferred", "uncertain")
# States that stay: the others become "skipped", because a send that is over may be retried.
_SETTLED = ("skipped", "handed", "failed", "bounced", "uncertain")
# Our types in a mapping that mean a contact.
PERSON_TYPES = ("Recipient", "recipient", "Contact", "contact")
SCAN_BYTES = 1 << 20
# Beginnings of mails that are read at a time.
SCAN_MAILS = 100
# Contacts of one step after a restore.
WALK = 5000


@dataclass(frozen=True)
class Deleted:
    """The result: numbers of the deleted contacts, and counts of ledger rows, rejected rows, mails and uploaded
    files."""

    contact_ids: Sequence[int]
    deliveries: int
    rejects: int
    mails: int
    files: int


class Erasure:
    """Deletes persons, with their mails and the uploaded files that name them. `drafts` is a folder."""

    def __init__(self, database: Database, blobs: Blobs, mails: MailStore, drafts: Path) -> None:
        self._database = database
        self._blobs, self._mails, self._drafts = blobs, mails, drafts

    def delete(self, account: Account, who: int | str, actor: Actor, *, at_rest: bool = False) -> Deleted:
        """Delete a contact, by number or by present or former address. Raises NotFoundError and ConflictError.

        Files are deleted after the rows: after an interruption, delete the address again. With `at_rest` no send runs,
        and unfinished ones skip the person when they resume.
        """
        with self._database.read() as connection:
            before = Traces.of(connection, account, who)
        # Uploaded files can be large and mails that came in many, so they are searched before the lock.
        inputs, incoming = self._inputs(before), self._incoming(before)
        with Changes(self._database).begin(account, by="deletion", durable=True) as change:
            traces = Traces.of(change.connection, account, who)
            ledger = list(traces.ledger(change.connection))
            if not at_rest:
                self._refuse_under_way(change.connection, ledger)
            rejects, with_rejects = _erase_rejects(change.connection, traces)
            known = bool(traces.contact_ids or ledger or rejects or inputs or incoming)
            if not _erase_addresses(change.connection, traces) and not known:
                raise NotFoundError(NOBODY)
            for contact_id in traces.contact_ids:
                _erase_contact(change, contact_id)
            _erase_ledger(change.connection, ledger)
            _erase_jobs(change.connection, traces)
            for part in some(incoming):
                here = incoming_mails.c.id.in_(part)
                change.connection.execute(update(incoming_mails).where(here).values(content=None))
            inputs |= {row.job_id for row in ledger} | with_rejects
            files = _forget_inputs(change.connection, inputs)
            remember(change.connection, account.id, traces.keys, change.moment)
            told = f"contact {', '.join(map(str, traces.contact_ids))}" if traces.contact_ids else "an address"
            record(change.connection, account.id, actor, AuditAction.DELETE, told)
        mails = 0
        for row in ledger:
            mails += self._mails.remove(mail_name(row.job_id, row.id))
            if (draft := draft_file(self._drafts, row.job_id, row.id)).exists():
                draft.unlink(missing_ok=True)
                mails += 1
        for name in files:
            self._blobs.remove(name)
        return Deleted(traces.contact_ids, len(ledger), rejects, mails, len(files))

    def repeat(self, account: Account, actor: Actor) -> int:
        """Delete again the contacts that a restore brought back; return their number.

        No send may run: those of a restored database are paused.
        """
        count = after = 0
        while True:
            with self._database.read() as connection:
                query = select(contacts.c.id, contacts.c.email_key).where(contacts.c.account_id == account.id)
                rows = connection.execute(query.where(contacts.c.id > after).order_by(contacts.c.id).limit(WALK)).all()
                erased = erased_among(connection, account.id, {row.email_key for row in rows})
            if not rows:
                self._repeat_strangers(account, actor)
                return count
            after = rows[-1].id
            for row in rows:
                if row.email_key in erased:
                    try:
                        count += len(self.delete(account, row.id, actor, at_rest=True).contact_ids)
                    except NotFoundError:
                        # It was deleted with another contact of the mailbox.
                        continue

    def _repeat_strangers(self, account: Account, actor: Actor) -> None:
        """Delete again addresses without a contact, of deliveries or suppressions."""
        found = set[str]()
        with self._database.read() as connection:
            for table in (deliveries, suppressions):
                here = (table.c.account_id == account.id) & (table.c.email_key != "")
                keys = set(connection.execute(select(table.c.email_key).where(here).distinct()).scalars())
                found |= erased_among(connection, account.id, keys).keys()
        for key in sorted(found):
            # It was deleted with another address of the person.
            with suppress(NotFoundError):
                self.delete(account, key, actor, at_rest=True)

    def _refuse_under_way(self, connection: Connection, ledger: Sequence[Any]) -> None:
        waiting = {row.job_id for row in ledger if row.state in UNDER_WAY}
        for part in some(waiting):
            query = select(jobs.c.id).where(jobs.c.id.in_(part), jobs.c.finished_at.is_(None)).limit(1)
            if (job_id := connection.execute(query).scalar_one_or_none()) is not None:
                raise ConflictError(f"Send {job_id} has a mail for this person and is not over.")

    def _inputs(self, traces: Traces) -> set[int]:
        """Return the numbers of finished jobs whose uploaded files hold the person."""
        found: set[int] = set()
        with self._database.read() as connection:
            kept = traces.jobs() & jobs.c.blob.is_not(None) & jobs.c.finished_at.is_not(None)
            names = dict(connection.execute(select(jobs.c.id, jobs.c.blob).where(kept)).all())
            wanted = set(traces.contact_ids)
            for job_id in names if wanted else ():
                parts = select(import_parts.c.contact_ids).where(import_parts.c.job_id == job_id)
                for packed in connection.execute(parts).scalars():
                    if not wanted.isdisjoint(unpack_numbers(packed)):
                        found.add(job_id)
                        break
        texts = [text.encode(form) for text in traces.texts for form in ("utf-8", "utf-16-le", "utf-16-be")]
        return found | {
            job_id for job_id, name in names.items() if job_id not in found and _file_holds(self._blobs, name, texts)
        }

    def _incoming(self, traces: Traces) -> list[int]:
        """Return the numbers of mails that came in, of the account or of none, whose kept beginning holds the person.

        They are about no sent mail that is known, so nothing else leads to them.
        """
        table, found, after = incoming_mails.c, list[int](), 0
        texts = [text.encode() for text in traces.texts]
        kept = table.content.is_not(None) & (table.account_id.is_(None) | (table.account_id == traces.account.id))
        while True:
            with self._database.read() as connection:
                query = select(table.id, table.content).where(kept, table.id > after).order_by(table.id)
                rows = connection.execute(query.limit(SCAN_MAILS)).all()
            if not rows:
                return found
            after = rows[-1].id
            for number, content in rows:
                lowered = zlib.decompress(content).lower()
                if any(text in lowered for text in texts):
                    found.append(number)


def _file_holds(blobs: Blobs, name: str, texts: Sequence[bytes]) -> bool:
    """Return whether an unpacked file holds one of the texts, ignoring letter case."""
    overlap = max(map(len, texts), default=1) - 1
    try:
        with blobs.open(name) as file:
            rest = b""
            while block := file.read(SCAN_BYTES):
                lowered = rest + block.lower()
                if any(text in lowered for text in texts):
                    return True
                rest = lowered[-overlap:] if overlap else b""
    except FileNotFoundError:
        pass
    return False


def _erase_contact(change: Change, contact_id: int) -> None:
    connection = change.connection
    rows = connection.execute(select(memberships).where(memberships.c.contact_id == contact_id)).all()
    for row in rows:
        change.count(row.list_id, members=-1, subscribed=-int(row.state == "subscribed"))
    _keep_departures(connection, change.account.id, contact_id)
    for table in (memberships, contact_events, opt_outs):
        connection.execute(delete(table).where(table.c.contact_id == contact_id))
    stands_for_it = (object_mappings.c.own_id == contact_id) & object_mappings.c.own_type.in_(PERSON_TYPES)
    connection.execute(delete(object_mappings).where(object_mappings.c.account_id == change.account.id, stands_for_it))
    connection.execute(update(contacts).where(contacts.c.double_of == contact_id).values(double_of=None))
    connection.execute(delete(contacts).where(contacts.c.id == contact_id))


def _keep_departures(connection: Connection, account_id: int, contact_id: int) -> None:
    """Keep the figures of messages because of which the contact left."""
    event = contact_events.c
    query = select(event.message_id, event.list_id).where(
        event.contact_id == contact_id, event.message_id.is_not(None), event.kind == ContactEventKind.UNSUBSCRIBED.value
    )
    left: dict[int, set[int]] = {}
    for row in connection.execute(query):
        # An unsubscribe from everything concerns no single list; those from the lists are records of their own.
        left.setdefault(row.message_id, set()).update(() if row.list_id is None else (row.list_id,))
    changes = FigureChanges()
    for message_id, list_ids in sorted(left.items()):
        sent = select(sends.c.job_id).where(sends.c.message_id == message_id, ~sends.c.is_test)
        # The person counts once, for the last send to one of these lists.
        left_list = func.coalesce(sends.c.list_id, 0).in_(list_ids)
        last = sent.order_by(left_list.desc(), sends.c.job_id.desc()).limit(1)
        job_id = connection.execute(last).scalar_one_or_none()
        if job_id is not None:
            changes.of_send(account_id, job_id, erased_departures=1)
    changes.store(connection)


def _erase_addresses(connection: Connection, traces: Traces) -> int:
    """Delete rows with an address but no contact; return their number."""
    account_id, count = traces.account.id, 0
    for table in (suppressions, review_addresses):
        here = (table.c.account_id == account_id) & table.c.email_key.in_(traces.keys)
        count += connection.execute(delete(table).where(here)).rowcount
    signed = select(sign_ups.c.id, sign_ups.c.email).where(sign_ups.c.account_id == account_id)
    ids = [row.id for row in connection.execute(signed) if address_key(row.email) in traces.keys]
    ids_of_searches = [
        row.id
        for row in connection.execute(select(saved_searches).where(saved_searches.c.account_id == account_id))
        if traces.in_value(row.criteria)
    ]
    answers = select(idempotent_answers.c.id, idempotent_answers.c.answer)
    ids_of_answers = [
        row.id
        for row in connection.execute(answers.where(idempotent_answers.c.account_id == account_id))
        if row.answer and traces.in_text(row.answer)
    ]
    for table, found in ((sign_ups, ids), (saved_searches, ids_of_searches), (idempotent_answers, ids_of_answers)):
        for part in some(found):
            count += connection.execute(delete(table).where(table.c.id.in_(part))).rowcount
    return count


def _erase_ledger(connection: Connection, ledger: Sequence[Any]) -> None:
    """Anonymise ledger rows, which still count. A retry of a finished send skips them."""
    blank: dict[str, Any] = {"email": "", "email_key": "", "contact_id": None, "fields": {}, "reply": ""}
    blank["next_try_at"] = None
    moved: dict[int, dict[str, int]] = {}
    for row in ledger:
        values = dict(blank)
        if row.state not in _SETTLED:
            values |= {"state": "skipped", "reason": "suppressed"}
            of_job = moved.setdefault(row.job_id, {})
            of_job[row.state] = of_job.get(row.state, 0) - 1
            of_job["skipped"] = of_job.get("skipped", 0) + 1
        connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(**values))
        # Servers repeat the address in their words.
        connection.execute(update(bounces).where(bounces.c.delivery_id == row.id).values(detail=""))
        told = incoming_mails.c.delivery_id == row.id
        connection.execute(update(incoming_mails).where(told).values(address="", detail="", content=None))
    for job_id, amounts in moved.items():
        counters = dict(connection.execute(select(jobs.c.counters).where(jobs.c.id == job_id)).scalar_one())
        for state, amount in amounts.items():
            # Rows in every state count as queued as well.
            names = {"chosen", state} if state != "skipped" else {state}
            # Some states have no counter.
            counters |= {name: counters.get(name, 0) + amount for name in names if name in counters or amount > 0}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(counters=counters))


def _erase_rejects(connection: Connection, traces: Traces) -> tuple[int, set[int]]:
    """Clear the rejected rows that hold the person; return their number and their jobs."""
    mine = rejected_rows.c.job_id.in_(select(jobs.c.id).where(traces.jobs()))
    found = select(rejected_rows).where(mine, traces.holds(rejected_rows.c.fields))
    rows = [row for row in connection.execute(found) if traces.in_value(row.fields)]
    for row in rows:
        here = (rejected_rows.c.job_id == row.job_id) & (rejected_rows.c.line == row.line)
        connection.execute(update(rejected_rows).where(here).values(fields=[]))
    return len(rows), {row.job_id for row in rows}


def _erase_jobs(connection: Connection, traces: Traces) -> None:
    columns = (jobs.c.request, jobs.c.checkpoint, jobs.c.label, jobs.c.error)
    for column in columns:
        found = connection.execute(select(jobs.c.id, column).where(traces.jobs(), traces.holds(column))).all()
        for job_id, value in found:
            values = {column.name: traces.without(value)}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))


def _forget_inputs(connection: Connection, job_ids: set[int]) -> list[str]:
    """Detach the uploaded files of these jobs that are over; return their names."""
    names: list[str] = []
    for part in some(job_ids):
        over = jobs.c.id.in_(part) & jobs.c.finished_at.is_not(None) & jobs.c.blob.is_not(None)
        names += connection.execute(select(jobs.c.blob).where(over)).scalars()
        connection.execute(update(jobs).where(over).values(blob=None))
    return names
