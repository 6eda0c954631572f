"""The mail simulator: addresses with a known outcome, for demo and test servers, whose mail stays in a folder.

Each is `<behaviour>@simulator.example`, or `<behaviour>+<anything>@simulator.example` where several are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from soapstone.accounts.account import Accounts
from soapstone.jobs.job import Job
from soapstone.jobs.run import Chunk
from soapstone.store.database import Database
from soapstone.tracking.consequences import of_complaint

if TYPE_CHECKING:
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
        of_complaint(
            chunk.connection,
            account,
            job_id=job.id,
            message_id=job.request["message_id"],
            list_id=job.list_id,
            contact_id=contact_id,
            address=address,
            provider=PROVIDER,
        )
