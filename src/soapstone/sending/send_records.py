"""What is stored with the job of a send: its row, its audit entry, and what its request says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from soapstone.accounts.account import Account, Login
from soapstone.accounts.audit import COMMAND_LINE, AuditAction, record
from soapstone.accounts.visibility import seen_lists
from soapstone.jobs.job import Job
from soapstone.sending.mail.builder import SEEN_LISTS
from soapstone.sending.messages.message import Message
from soapstone.sending.reports import SendRecord
from soapstone.store.tables import jobs, messages, sends
from soapstone.vocabulary.deliveries import Purpose
from soapstone.vocabulary.jobs import JobKind

# Steps of the jobs that send, by kind (lk-90).
STEPS: Mapping[str, int] = {JobKind.SEND_TO_LIST: 3, JobKind.SEND_TO_FILE: 4, JobKind.SEND: 3}


@dataclass(frozen=True)
class SendTicket:
    """An accepted send as it was stored, and its message (whose number is the MsgID, lk-88)."""

    record: SendRecord
    message: Message

    @property
    def job(self) -> Job:
        """Its job."""
        return self.record.job


def is_for_members(job: Job) -> bool:
    """Return whether a send goes to list members only, so that a contact removed from the list gets no mail."""
    audience = job.request.get("audience", {"kind": "members" if job.kind == JobKind.SEND_TO_LIST else ""})
    return bool(audience["kind"] == "members" or job.request.get("rules", {}).get("members"))


def is_by_address(job: Job) -> bool:
    """Return whether a send looks its recipients up by address instead of by number."""
    kind = job.request.get("audience", {}).get("kind", "")
    return job.kind == JobKind.SEND_TO_FILE or kind in ("addresses", "notice", "failures")


def retried_send(request: Mapping[str, Any]) -> int | None:
    """Return the number of the send that this send retries; None if it is no retry."""
    audience: Mapping[str, Any] = request.get("audience", {})
    return audience.get("job_id")


def attempts(connection: Connection, job: Job, message_id: int) -> list[int]:
    """Return the original send and every retry derived from it, oldest first.

    No other retry can be created until the caller's transaction ends.
    """
    of_message = (sends.c.account_id == job.account_id) & (sends.c.message_id == message_id)
    query = select(jobs.c.id, jobs.c.request).join(sends, sends.c.job_id == jobs.c.id).where(of_message)
    connection.execute(select(messages.c.id).where(messages.c.id == message_id).with_for_update())
    found = connection.execute(query.order_by(jobs.c.id)).all()
    first: dict[int, int] = {}
    for row in found:
        # A retry has a higher number than what it retries.
        before = retried_send(row.request) or row.id
        first[row.id] = first.get(before, before)
    return [number for number in first if first[number] == first.get(job.id)]


def add_send(
    connection: Connection,
    job_id: int,
    account_id: int,
    message_id: int,
    source_id: int | None,
    list_id: int | None,
    purpose: Purpose,
    is_test: bool,
) -> None:
    values: dict[str, Any] = {
        "job_id": job_id,
        "account_id": account_id,
        "message_id": message_id,
        "source_id": source_id,
    }
    values |= {"list_id": list_id, "purpose": purpose, "is_test": is_test}
    connection.execute(insert(sends).values(**values))


def seen_lists_of(connection: Connection, login: Login | None) -> dict[str, Any]:
    """Return the lists of a login that sees only some contacts: its mails must not hold fields of others."""
    lists = seen_lists(connection, login)
    return {} if lists is None else {SEEN_LISTS: lists}


def audit_send(
    connection: Connection,
    account: Account,
    login: Login | None,
    job_id: int,
    message_id: int,
    list_id: int | None,
    purpose: Purpose,
) -> None:
    summary = f"send {job_id} ({purpose}) of message {message_id}" + (f" to list {list_id}" if list_id else "")
    record(connection, account.id, login.actor if login else COMMAND_LINE, AuditAction.SEND, summary)
