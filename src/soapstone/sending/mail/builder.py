"""Builds the mails of one send: recipients with their values, merged into the message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from markupsafe import Markup
from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, null, select

from soapstone.accounts.visibility import of_person_on
from soapstone.jobs.job import Job
from soapstone.jobs.run import JobFailed
from soapstone.lists.lists import Lists
from soapstone.lists.profiles import Profiles
from soapstone.sending.ledger import Recipient, within
from soapstone.sending.mail.bounce_addresses import BounceAddresses
from soapstone.sending.mail.dkim import DkimSigner
from soapstone.sending.mail.mail_tracking import MailTracking
from soapstone.sending.mail.mime import Head, ascii_domain, envelope
from soapstone.sending.messages.content import CONTACT_KEYS, LINK_KEYS, Content, profile_value, with_links
from soapstone.sending.messages.message import Message
from soapstone.sending.messages.messages import Messages
from soapstone.sending.messages.template import merge_key
from soapstone.sending.messages.unsubscribe_link import REQUEST, check_link
from soapstone.sending.signed_links import Links
from soapstone.sending.smtp.connection import Envelope
from soapstone.store.database import Database
from soapstone.store.driver import run_query
from soapstone.store.tables import contacts, deliveries, memberships
from soapstone.tracking.stems import Stems
from soapstone.vocabulary.tracking import BounceHandling

log = logging.getLogger(__name__)

# In a send's request: the lists that its login saw, if not all. An address may belong to any contact, and the sender
# can read the mails, so they hold only fields of contacts on these lists.
SEEN_LISTS = "seen_lists"

NO_LINKS = "The message has a link to this server, which does not know its address: SOAPSTONE_PUBLIC_URL is not set."


@dataclass(frozen=True, kw_only=True)
class MailOptions:
    """The links, stems, DKIM signer and bounce addresses of all sends' mails; None for what is not configured.

    Without links or stems no mail is tracked.
    """

    links: Links | None = None
    signer: DkimSigner | None = None
    stems: Stems | None = None
    bounces: BounceAddresses | None = None
    # Makes the header by which a relay service returns a mail's stem.
    relay_header: Callable[[int, int], tuple[str, str]] | None = None


class MailBuilder:
    """The message of a send, compiled once, and the values of its recipients.

    Values come from the supplied file, else from the contact, else from the profile of the list. With `record_links`,
    as for a send, links that the message did not have before are recorded.
    """

    def __init__(
        self,
        database: Database,
        job: Job,
        message_id: int,
        options: MailOptions | None = None,
        *,
        record_links: bool = True,
    ) -> None:
        message = Messages(database).get(job.account_id, message_id)
        contact_list = Lists(database).get(job.account_id, job.list_id) if job.list_id else None
        if message is None or (job.list_id and contact_list is None):
            raise JobFailed("The list or the message of this send is gone.")
        self._database = database
        self._job = job
        # Parts that the send replaces in a stored message.
        self._message: Message = replace(message, **job.request.get("instead", {}))
        self._list = contact_list
        self._options = options or MailOptions()
        self._links = self._options.links
        self._signer = self._signing()
        settings: Mapping[str, Any] = contact_list.settings if contact_list else {}
        self._bounces = self._options.bounces
        self._handling = self._bounce_handling(settings)
        self._one_click = self._links is not None and settings.get("list_remove_header", True) is not False
        further: Mapping[str, Any] = job.request.get("links", {})
        # The message with the links added by this send.
        shown = with_links(self._message, settings, further) if self._links else self._message
        self.tracking = self._tracked(shown, record_links)
        if self.tracking:
            self.content = Content(self.tracking.message, tracked=True)
        else:
            self.content = Content(shown, has_links=True)
        self._plain, self._html = self.content.bodies(shown.charset, self.tracking.gap if self.tracking else "")
        wanted = self.content.names.keys()
        self._linked = {key: purpose for key, purpose in LINK_KEYS.items() if key in wanted}
        if self._linked and self._links is None:
            raise JobFailed(NO_LINKS)
        self._columns = {key: column for key, column in CONTACT_KEYS.items() if key in wanted and key != "email"}
        attributes = Profiles(database).attributes(contact_list.id) if contact_list else []
        self._attributes = {
            key: attribute
            for attribute in attributes
            if (key := merge_key(attribute.name)) in wanted and key not in CONTACT_KEYS
        }

        # Queries by the state that they ask for, each made once.
        self._queries: dict[str, Select[Any]] = {}
        self._html_fields: list[str] = job.request.get("audience", {}).get("html_fields", [])

    def check_unsubscribe_link(self) -> None:
        """Raise NoUnsubscribeLinkError if the sender asked for a link and the mails would have none.

        The list's settings may have changed since the send was accepted, and another process may have accepted it.
        """
        if self._list is None or self._job.request.get(REQUEST) != "link":
            return
        further: Mapping[str, Any] = self._job.request.get("links", {})
        has_links = self._links is not None
        check_link(self._message, self._list.settings, further, list_id=self._list.id, has_links=has_links)

    @property
    def known(self) -> set[str]:
        """Merge keys that every recipient has."""
        from_list = Profiles(self._database).attributes(self._list.id) if self._list else []
        return {*CONTACT_KEYS, *LINK_KEYS, *(merge_key(attribute.name) for attribute in from_list)}

    def queued(self, after: int, last: int, limit: int) -> Sequence[Recipient]:
        """Return the next recipients to build mails for, with what their mails need."""
        return self._next("chosen", after, last, limit)

    def built(self, after: int, last: int, limit: int) -> Sequence[Recipient]:
        """Return the next recipients whose mails are built, with what their mails need."""
        return self._next("built", after, last, limit)

    def due(self, moment: datetime, limit: int) -> Sequence[Recipient]:
        """Return recipients due for a retry, the longest-waiting first."""
        table = deliveries
        these = (table.c.job_id == self._job.id) & (table.c.next_try_at <= moment) & (table.c.state != "handing")
        return self._rows(these, table.c.next_try_at, limit)

    def one(self, delivery_id: int) -> Recipient | None:
        """Return one recipient of this send; None if it has no such row."""
        rows = self._rows((deliveries.c.id == delivery_id) & (deliveries.c.job_id == self._job.id), deliveries.c.id, 1)
        return rows[0] if rows else None

    def content_for(self, row: Recipient, email: str = "") -> bytes:
        """Return the mail of one of these recipients; the same each time, as long as the recipient's values are.

        `email` is the recipient's address where it has changed since the row was read. Raises MergedTooLarge.
        """
        return self._content(row, email or row.email, self._stem(row.id))

    def envelope(self, row: Recipient, email: str = "") -> Envelope:
        """Return the mail of one of these recipients, in its envelope; `email` is as in `content_for`.

        Raises MergedTooLarge.
        """
        email, stem, sender = email or row.email, self._stem(row.id), self._sender
        recipient, mail_from = envelope(email), sender
        if self._bounces is not None and self._handling is not BounceHandling.LEAVE_ALONE:
            mail_from = self._bounces.for_bounces(stem)
        return Envelope(
            mail_from=mail_from.encode(),
            rcpt_to=recipient.encode(),
            content=self._content(row, email, stem),
            smtputf8=not (sender.isascii() and recipient.isascii()),
        )

    def page(self, row: Recipient) -> tuple[str, str | None, str]:
        """Return subject, HTML and text of the mail of one of these recipients, to be read in a browser.

        Raises MergedTooLarge.
        """
        values, tracking = self._values(row), self.tracking
        if tracking is None:
            rendered = self.content.render(values)
            return rendered.subject, rendered.html, rendered.plain
        stem = tracking.stem(row.id)
        rendered = self.content.render(values, tracking.address_of(stem))
        html = rendered.html and rendered.html.replace(tracking.gap, stem)
        return rendered.subject, html, rendered.plain.replace(tracking.gap, stem)

    def _signing(self) -> DkimSigner | None:
        """Return the signer, if it signs for this sender."""
        signer, sender = self._options.signer, self._message.from_address
        if signer is None or signer.signs_for(sender):
            return signer
        # Once for a send, however often it is requeued.
        if self._job.attempt <= 1:
            told = "job %d: mails from %s are not signed, since the DKIM key is of %s"
            log.warning(told, self._job.id, ascii_domain(sender), signer.domain)
        return None

    def _tracked(self, message: Message, record: bool) -> MailTracking | None:
        links, stems = self._links, self._options.stems
        if links is None or stems is None:
            return None
        return MailTracking.of_send(self._database, self._job, message, self._list, links.base, stems, record=record)

    def _bounce_handling(self, settings: Mapping[str, Any]) -> BounceHandling:
        """Return how the list handles bounces (lk-37); aggressive handling takes a sender of the same organization."""
        handling, sender = BounceHandling.of(settings), self._message.from_address
        if handling is not BounceHandling.AGGRESSIVE or self._bounces is None or self._bounces.is_aligned(sender):
            return handling
        if self._job.attempt <= 1:
            told = "job %d: the sender stays in From, since %s and the bounce domain %s are not of one organization"
            log.warning(told, self._job.id, ascii_domain(sender), self._bounces.domain)
        return BounceHandling.STANDARD

    def _stem(self, delivery_id: int) -> str:
        """Return the stem to which a recipient's mail comes back; empty if mails do not."""
        return "" if self._bounces is None else self._bounces.stems.make(self._message.id, delivery_id)

    def _next(self, state: str, after: int, last: int, limit: int) -> Sequence[Recipient]:
        """Return the next recipients in this state."""
        if state not in self._queries:
            these = within(self._job.id, bindparam("after"), bindparam("last")) & (deliveries.c.state == state)
            self._queries[state] = self._query(these, deliveries.c.id, bindparam("limit", type_=Integer))
        with self._database.read() as connection:
            given = {"after": after, "last": last, "limit": limit}
            return _recipients(run_query(connection, self._queries[state], given))

    def _rows(self, these: ColumnElement[bool], order: Any, limit: int) -> Sequence[Recipient]:
        with self._database.read() as connection:
            return _recipients(connection.execute(self._query(these, order, limit)).all())

    def _query(self, these: ColumnElement[bool], order: Any, limit: Any) -> Select[Any]:
        table = deliveries
        list_id = self._list.id if self._list else 0
        seen = of_person_on(self._job.request.get(SEEN_LISTS), contacts.c.id)
        # Documents take time to read.
        profile = [memberships.c.profile, memberships.c.form_values] if self._attributes else [null(), null()]
        query: Select[Any] = (
            select(
                *(table.c[name] for name in Recipient._fields[:-3]),
                *profile,
                *(contacts.c[column].label(f"contact_{column}") for column in self._columns.values()),
            )
            .select_from(table)
            .join(contacts, and_(contacts.c.id == table.c.contact_id, *seen), isouter=True)
            .where(these)
            .order_by(order)
            .limit(limit)
        )
        if self._attributes:
            member = (memberships.c.list_id == list_id) & (memberships.c.contact_id == table.c.contact_id)
            query = query.join(memberships, member, isouter=True)
        return query

    @cached_property
    def _sender(self) -> str:
        """The sender as SMTP takes it."""
        return envelope(self._message.from_address)

    @cached_property
    def _head(self) -> Head:
        """The headers of all mails, with what they say of bounces and complaints (RFC 9477, Gmail's Feedback-ID)."""
        contact_list, bounces = self._list, self._bounces
        reply_address, complaints_to, feedback_id = self._message.reply_address, "", ""
        if self._is_aggressive:
            reply_address = reply_address or self._message.from_address
        # A provider believes the address only if the signature is of its domain, or of a parent of it.
        if bounces is not None and self._signer is not None and self._signer.signs_for(bounces.complaints):
            complaints_to = bounces.complaints
            kept = f"list-{contact_list.id}" if contact_list else "none"
            feedback_id = f"send-{self._job.id}:{kept}:account-{self._job.account_id}:soapstone"
        return Head(
            # The same in every attempt.
            date=self._job.started_at or self._job.submitted_at,
            from_address=self._message.from_address,
            reply_address=reply_address,
            list_name=contact_list.name if contact_list else "",
            list_key=f"list-{contact_list.id}" if contact_list else "",
            charset=self._message.charset,
            complaints_to=complaints_to,
            feedback_id=feedback_id,
        )

    @property
    def _is_aggressive(self) -> bool:
        return self._bounces is not None and self._handling is BounceHandling.AGGRESSIVE

    def _content(self, row: Recipient, email: str, stem: str) -> bytes:
        values = self._values(row)
        if email != row.email:
            values["email"] = email
        gap = self.tracking.stem(row.id) if self.tracking else ""
        merged = self.content.merge(values, self.tracking.address_of(gap) if self.tracking else None)
        unsubscribe = ""
        if self._links is not None and self._one_click:
            made = "unsubscribe_link" in self._linked
            unsubscribe = values["unsubscribe_link"] if made else self._links.make("unsubscribe", row.id)
        relay_header = self._options.relay_header
        content = self._head.around(
            self._plain.write(merged.plain, gap),
            self._html.write(merged.html, gap) if self._html is not None and merged.html is not None else None,
            key=f"{self._message.public_id}.{row.id}",
            from_name=merged.from_name,
            to_name=merged.to_name,
            to_address=email,
            subject=merged.subject,
            unsubscribe=unsubscribe,
            stem=stem,
            author=self._bounces.author(stem) if self._bounces is not None and self._is_aggressive else "",
            relay_header=relay_header(self._message.id, row.id) if relay_header else ("", ""),
        )
        return self._signer.sign(content) if self._signer else content

    def _values(self, row: Recipient) -> dict[str, str]:
        values = {"email": row.email}
        if row.profile:
            for key, attribute in self._attributes.items():
                values[key] = profile_value(attribute, row.profile, row.form_values or {})
        if row.contact_id is not None:
            for key, value in zip(self._columns, row.contact, strict=True):
                values[key] = value or ""
        values |= row.fields
        for key in self._html_fields:
            if key in row.fields:
                values[key] = Markup(row.fields[key])  # noqa: S704 - its sender may write messages, too
        if self._links is not None:
            for key, purpose in self._linked.items():
                values[key] = self._links.make(purpose, row.id)
        return values


def _recipients(rows: Sequence[Any]) -> list[Recipient]:
    others = len(Recipient._fields) - 1
    return [Recipient._make((*row[:others], row[others:])) for row in rows]
