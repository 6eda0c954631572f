"""The mail simulator: addresses whose mails meet a known fate, for demo and test servers, whose mail stays in a folder.

Each is `<behaviour>@simulator.example`, or `<behaviour>+<anything>@simulator.example` where several are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from soapstone.accounts.account import Accounts
from soapstone.contacts.changes import Cause, change_within
from soapstone.contacts.complaints import complain
from soapstone.jobs.job import Job
from soapstone.jobs.run import Chunk
from soapstone.store.database import Database

if TYPE_CHECKING:
    from soapstone.sending.smtp.retries import Retries

# Nobody can have this domain (RFC 2606).
DOMAIN = "simulator.example"
ACCEPTED = "250 2.0.0 Ok: queued"


class Behaviour(StrEnum):
    """What becomes of the mails to an address of the simulator; the value is what stands before the @."""

    # Refused for good: there is no such mailbox.
    REFUSED = "refused"
    # Refused for now twice, and accepted at the third attempt.
    DEFERRED = "deferred"
    # Refused for now at each attempt, until the send gives up.
    FULL = "full"
    # Accepted; then the recipient complains to the mailbox provider.
    COMPLAINS = "complains"

    @property
    def address(self) -> str:
        """The plain address that behaves so."""
        return f"{self}@{DOMAIN}"


# The replies to RCPT, by attempt; what comes later is accepted.
_REPLIES = {
    Behaviour.REFUSED: ("550 5.1.1 Recipient address rejected: user unknown",),
    Behaviour.DEFERRED: ("451 4.7.1 Greylisted, please try again later",) * 2,
}
_EACH_TIME = {Behaviour.FULL: "452 4.2.2 Mailbox full"}
# The source that recorded complaints name.
PROVIDER = "Mail simulator"


def behaviour_of(address: str) -> Behaviour | None:
    """Return how an address behaves; None for one that is not of the simulator."""
    local, _, domain = address.lower().rpartition("@")
    name = local.partition("+")[0]
    return Behaviour(name) if domain == DOMAIN and name in set(Behaviour) else None


def reply_to(address: str, attempts: int) -> str | None:
    """Return the SMTP reply that refuses a mail after so many attempts; None when it is accepted."""
    behaviour = behaviour_of(address)
    if behaviour is None:
        return None
    replies = _REPLIES.get(behaviour, ())
    return replies[attempts] if attempts < len(replies) else _EACH_TIME.get(behaviour)


@dataclass(frozen=True)
class Simulator:
    """The simulator of one worker; mails that are refused for now are tried again as `retries` says."""

    database: Database
    retries: Retries

    def follow_up(self, chunk: Chunk, job: Job, contact_id: int | None, address: str) -> None:
        """Do what follows from a mail that was handed over, in the same transaction."""
        if behaviour_of(address) is not Behaviour.COMPLAINS:
            return
        account = Accounts(self.database).get(job.account_id)
        if account is None:
            return
        change = change_within(chunk.connection, account, by="Feedback Loop")
        if contact_id is None:
            # A stranger of a file is known from now on.
            contact_id = change.find(address, job.list_id) or change.add(email=address)
        complain(change, contact_id, job.list_id, cause=Cause(message_id=job.request["message_id"]), provider=PROVIDER)
