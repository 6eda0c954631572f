"""The actions behind the links of a mail: unsubscribe, view in browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from soapstone.accounts.account import Accounts
from soapstone.contacts.changes import Cause, Changes
from soapstone.contacts.unsubscribes import from_everything
from soapstone.errors import SoapstoneError
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import Lists
from soapstone.sending.mail.builder import MailBuilder, MailOptions
from soapstone.sending.messages.message import MergedTooLarge
from soapstone.sending.signed_links import Links
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, jobs
from soapstone.tracking.stems import Stems
from soapstone.vocabulary.contacts import MembershipState, OptOutKind


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A sent mail and its sender: the list, or the account for a mail without a list."""

    account_id: int
    job_id: int
    message_id: int
    contact_id: int | None
    email: str
    list_id: int | None
    sender: str


class LinkActions:
    """Carries out the actions of links. `delivery_id`, from the link, is the recipient's row in the ledger.

    `stems` are those of the mails; without them the pages of mails are not tracked.
    """

    def __init__(
        self, database: Database, links: Callable[[], Links | None], stems: Callable[[], Stems | None] = lambda: None
    ) -> None:
        self._database = database
        self._links = links
        self._stems = stems

    def find(self, delivery_id: int) -> Sent | None:
        """Return the mail that a link belongs to; None if it, or its list, was deleted."""
        query = select(deliveries, jobs.c.list_id).join(jobs, jobs.c.id == deliveries.c.job_id)
        with self._database.read() as connection:
            row = connection.execute(query.where(deliveries.c.id == delivery_id)).one_or_none()
        if row is None:
            return None
        account = Accounts(self._database).get(row.account_id)
        found = Lists(self._database).get(row.account_id, row.list_id) if row.list_id else None
        if account is None or (row.list_id and found is None):
            return None
        return Sent(
            account_id=row.account_id,
            job_id=row.job_id,
            message_id=row.message_id,
            contact_id=row.contact_id,
            email=row.email,
            list_id=row.list_id,
            sender=found.name if found else account.name,
        )

    def unsubscribe(self, sent: Sent, *, by: str) -> None:
        """Unsubscribe the recipient from the mail's list, or from everything without a list; idempotent.

        `by` is `Unsubscribe Link` or `Mail Header` (lk-110). A recipient from a file becomes a contact; one who was
        deleted gets no mail anyway.
        """
        account = Accounts(self._database).get(sent.account_id)
        if account is None:
            return
        cause = Cause(message_id=sent.message_id)
        with Changes(self._database).begin(account, by=by) as change:
            contact_id = sent.contact_id
            if contact_id is None or change.contact(contact_id) is None:
                if not sent.email:
                    return
                contact_id = change.find(sent.email, sent.list_id) or change.add(email=sent.email)
            if sent.list_id is None:
                row = change.contact(contact_id)
                if row is not None and row["unsubscribed_at"] is None:
                    from_everything(change, contact_id, cause)
            elif change.membership(sent.list_id, contact_id) is not None:
                change.move(sent.list_id, contact_id, MembershipState.UNSUBSCRIBED, cause=cause)
            elif change.opt_out(contact_id, OptOutKind.LIST, sent.list_id):
                change.log("unsubscribed", contact_id, sent.list_id, cause=cause)

    def page(self, delivery_id: int, sent: Sent) -> tuple[str, str | None, str] | None:
        """Return subject, HTML (None without any) and text of a mail; None if its message was deleted.

        Also None if the mail has become too large because values of the contact changed.
        """
        job = Jobs(self._database).get([sent.account_id], sent.job_id)
        if job is None:
            return None
        try:
            options = MailOptions(links=self._links(), stems=self._stems())
            builder = MailBuilder(self._database, job, sent.message_id, options, record_links=False)
        except SoapstoneError:
            return None
        row = builder.one(delivery_id)
        try:
            return None if row is None else builder.page(row)
        except MergedTooLarge:
            return None
