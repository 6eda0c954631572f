"""The mail simulator: addresses with a known outcome, for demo and test servers, whose mail stays in a folder.

Each is `<behaviour>@simulator.example`, or `<behaviour>+<anything>@simulator.example` where several are needed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from soapstone.accounts.account import Accounts
from soapstone.jobs.job import Job
from soapstone.jobs.run import Chunk
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, tracked_links
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.consequences import of_complaint
from soapstone.tracking.figures import FigureChanges
from soapstone.tracking.recording import Act, AnonymousAct, record_acts, record_bounces
from soapstone.vocabulary.tracking import MailEventKind

if TYPE_CHECKING:
    from soapstone.sending.mail.mail_tracking import MailTracking
    from soapstone.sending.smtp.retries import Retries

# A reserved domain (RFC 2606).
DOMAIN = "simulator.example"
ACCEPTED = "250 2.0.0 Ok: queued"


class Behaviour(StrEnum):
    """The outcome of mails to a simulator address; the value is its local part."""

    # Refused for good: unknown mailbox.
    REFUSED = "refused"
    # Deferred twice, accepted at the third attempt.
    DEFERRED = "deferred"
    # Deferred at each attempt, until the send gives up.
    FULL = "full"
    # Accepted; then the recipient complains to the mailbox provider.
    COMPLAINS = "complains"
    # Accepted; then the mail comes back.
    BOUNCES = "bounces"
    # Accepted; then the recipient opens the mail. This and what follows is seen in tracked mails only.
    OPENS = "opens"
    # Accepted; then the recipient reads the mail, and opens it by that.
    READS = "reads"
    # Accepted; then the recipient follows the mail's first tracked link; without one, the recipient opens the mail.
    CLICKS = "clicks"

    @property
    def address(self) -> str:
        """The plain address with this behaviour."""
        return f"{self}@{DOMAIN}"


# The replies to RCPT, by attempt; later attempts are accepted.
_REPLIES = {
    Behaviour.REFUSED: ("550 5.1.1 Recipient address rejected: user unknown",),
    Behaviour.DEFERRED: ("451 4.7.1 Greylisted, please try again later",) * 2,
}
_EACH_TIME = {Behaviour.FULL: "452 4.2.2 Mailbox full"}
# What the server of the mailbox reports when a mail comes back.
RETURNED = "550 5.1.1 The mailbox does not exist any more"
_ACTS = {
    Behaviour.OPENS: MailEventKind.OPEN,
    Behaviour.READS: MailEventKind.READ,
    Behaviour.CLICKS: MailEventKind.CLICK,
}
# The source of recorded complaints.
PROVIDER = "Mail simulator"


def behaviour_of(address: str) -> Behaviour | None:
    """Return the behaviour of a simulator address; None for any other address."""
    local, _, domain = address.lower().rpartition("@")
    name = local.partition("+")[0]
    return Behaviour(name) if domain == DOMAIN and name in set(Behaviour) else None


def reply_to(address: str, attempts: int) -> str | None:
    """Return the SMTP reply that refuses a mail after this number of attempts; None if it is accepted."""
    behaviour = behaviour_of(address)
    if behaviour is None:
        return None
    replies = _REPLIES.get(behaviour, ())
    return replies[attempts] if attempts < len(replies) else _EACH_TIME.get(behaviour)


@dataclass(frozen=True)
class Simulator:
    """The simulator of one worker; deferred mails are retried as `retries` says."""

    database: Database
    retries: Retries

    def follow_up(self, chunk: Chunk, job: Job, contact_id: int | None, address: str) -> None:
        """Record a complaint that follows a sent mail, in the same transaction."""
        if behaviour_of(address) is not Behaviour.COMPLAINS:
            return
        account = Accounts(self.database).get(job.account_id)
        if account is None:
            return
        changes = FigureChanges()
        of_complaint(
            chunk.connection,
            account,
            job_id=job.id,
            message_id=job.request["message_id"],
            list_id=job.list_id,
            contact_id=contact_id,
            address=address,
            provider=PROVIDER,
            changes=changes,
        )
        changes.store(chunk.connection)

    @staticmethod
    def react(chunk: Chunk, sent: Collection[int], tracking: MailTracking | None) -> None:
        """Record which of these sent mails come back, are opened, read or clicked, in the same transaction.

        Recipients do what `tracking` lets the server see: without it nothing, and opens and reads of HTML alone.
        """
        names = ("id", "account_id", "message_id", "job_id", "is_test", "email")
        query = select(*(deliveries.c[name] for name in names)).where(deliveries.c.id.in_(sent))
        rows = [(row, behaviour_of(row.email)) for row in chunk.connection.execute(query.order_by(deliveries.c.id))]
        if returned := [row.id for row, behaviour in rows if behaviour is Behaviour.BOUNCES]:
            record_bounces(chunk.connection, dict.fromkeys(returned, of_reply(RETURNED)))
        acting = [(row, _ACTS[behaviour]) for row, behaviour in rows if behaviour in _ACTS]
        if tracking is None or not acting:
            return
        link_id = _first_link(chunk.connection, acting[0][0].message_id)
        acts: list[Act | AnonymousAct] = []
        for row, wanted in acting:
            clicks = wanted is MailEventKind.CLICK
            if not (clicks and link_id) and not tracking.has_pixel:
                continue
            kind = MailEventKind.OPEN if clicks and link_id is None else wanted
            act: dict[str, Any] = {"kind": kind, "link_id": link_id if clicks else None}
            if tracking.has_persons:
                acts.append(Act(delivery_id=row.id, **act))
            else:
                mail = {name: getattr(row, name) for name in names[1:5]}
                # The pixel for reads is missing, the one for opens is loaded.
                act["kind"] = MailEventKind.OPEN if kind is MailEventKind.READ else kind
                acts.append(AnonymousAct(**mail, **act))
        record_acts(chunk.connection, acts)


def _first_link(connection: Connection, message_id: int) -> int | None:
    link = tracked_links.c
    query = select(link.id).where(link.message_id == message_id).order_by(link.position).limit(1)
    return connection.execute(query).scalar_one_or_none()
