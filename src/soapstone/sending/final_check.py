"""The final check of a recipient, in the transaction that commits the start of the mail.

A send chooses its recipients once, and may then wait for hours: for a server, its turn, or a pause. Meanwhile contacts
unsubscribe or change their address. Their state when the mail goes out decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Select, func, literal, or_, select, type_coerce, update

from soapstone.contacts.erased_addresses import any_erased, erased_among
from soapstone.jobs.job import Job
from soapstone.jobs.run import Chunk
from soapstone.sending.audience import Audience, Rules, skip_reason
from soapstone.sending.ledger import Recipient
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.store.bulk import among, listed
from soapstone.store.database import Database
from soapstone.store.driver import run_query
from soapstone.store.tables import contacts, deliveries, memberships, suppressions


@dataclass(frozen=True)
class Checked:
    """The result by ledger row: why a recipient gets no mail any more (`gone`), and new addresses (`moved`).

    `age` is the number of seconds in which others may have changed it.
    """

    gone: Mapping[int, str] = field(default_factory=dict)
    moved: Mapping[int, str] = field(default_factory=dict)
    age: float = 0.0


class _Seen(NamedTuple):
    """A recipient as it is now, by the statement of the final check; `email` and `key` are None without a contact."""

    id: int
    contact_id: int | None
    noted: str
    shares: int
    email: Any
    key: Any
    unique_email: str | None
    state: Any
    blocked: str | None
    opted_out: int
    has_erased: int


class FinalCheck:
    """Checks recipients of one send again.

    `is_for_members` means that it goes to members of its list only, `is_by_address` that its recipients were looked up
    by address: several contacts may share one (mm-53).
    """

    def __init__(
        self,
        database: Database,
        job: Job,
        message_id: int,
        rules: Rules,
        *,
        is_for_members: bool,
        is_by_address: bool = False,
    ) -> None:
        self._audience = Audience(database, job, message_id, rules)
        self._job = job
        self._include_states = frozenset(rules.reach)
        self._is_for_members = is_for_members or rules.members
        self._is_by_address = is_by_address
        self._kind = database.kind
        self._query = self._statement()
        # States of the contacts and memberships that get their mails, if nothing else speaks against it.
        self._mailed: dict[str, bool] = {}

    def settle(self, chunk: Chunk, rows: Sequence[Recipient]) -> Checked:
        """Record in the ledger which recipients are no longer mailed, and changed addresses; return both.

        A recipient that may have the mail becomes uncertain, not skipped. Ledger rows need `id`, `contact_id`,
        `email_key` and `doubts`.
        """
        gone, moved = self.check(chunk.connection, rows)
        uncertain = {row.id for row in rows if row.doubts} & gone.keys()
        for number, reason in gone.items():
            values = {"state": "skipped", "reason": reason, "next_try_at": None}
            if number in uncertain:
                values |= {"state": "uncertain", "reason": ""}
            chunk.connection.execute(update(deliveries).where(deliveries.c.id == number).values(**values))
        for number, (email, key) in moved.items():
            values = {"email": email, "email_key": key}
            chunk.connection.execute(update(deliveries).where(deliveries.c.id == number).values(**values))
        # All were counted as chosen, whatever their state.
        if skipped := len(gone) - len(uncertain):
            chunk.count(chosen=-skipped, skipped=skipped)
        if uncertain:
            chunk.count(uncertain=len(uncertain))
        return Checked(gone, {number: email for number, (email, _) in moved.items()})

    def check(
        self, connection: Connection, rows: Sequence[Recipient]
    ) -> tuple[dict[int, str], dict[int, tuple[str, str]]]:
        """Return, by ledger row, why recipients are no longer mailed, and changed addresses with their keys."""
        gone: dict[int, str] = {}
        moved: dict[int, tuple[str, str]] = {}
        keys = {row.id: row.email_key for row in rows}
        # The new addresses in this batch.
        taken: set[str] = set()
        rows_now = run_query(connection, self._query, {"numbers": listed(connection, keys)})
        # Mostly nothing has changed.
        found = [_Seen._make(row) for row in rows_now if not self._is_settled(row, keys)]
        # A recipient from a file may be a contact by now; contacts sharing an address may have unsubscribed.
        unsure = {
            seen.id: keys[seen.id] if seen.key is None else seen.key
            for seen in found
            if seen.contact_id is None or (self._is_by_address and seen.unique_email is None)
        }
        asked = {key for key in unsure.values() if key}
        known = self._audience.known(asked, connection) if asked else {}
        others_opted_out = self._audience.opted_out_among({contact_id for contact_id, _ in known.values()})
        sharing = {seen.contact_id for seen in found if seen.shares and seen.contact_id is not None}
        shared = self._audience.shared_states(sharing, connection) if sharing else {}
        erased: Collection[str] = ()
        # Contacts may have been erased since: during selection, or before a backup with them was restored.
        if found and found[0].has_erased:
            now_keys = {keys[seen.id] if seen.key is None else seen.key for seen in found}
            erased = erased_among(connection, self._job.account_id, now_keys)
        for seen in found:
            # The ledger may know of an earlier move since the row was read.
            has_moved = seen.key is not None and not seen.key == keys[seen.id] == seen.noted
            state, opted_out = shared.get(seen.contact_id or 0, seen.state), bool(seen.opted_out)
            if (since := known.get(unsure.get(seen.id, ""))) is not None:
                state, opted_out = since[1], opted_out or since[0] in others_opted_out
            reason = self._reason(
                invalid_address=has_moved and not is_mailbox(seen.email),
                duplicate=has_moved and (seen.key in taken or self._audience.is_there(connection, seen.id, seen.key)),
                blocked=seen.blocked or ("suppressed" if (seen.key or keys[seen.id]) in erased else ""),
                state=state,
                opted_out=opted_out,
            )
            if reason:
                gone[seen.id] = reason
            elif has_moved:
                moved[seen.id] = (seen.email, seen.key)
                taken.add(seen.key)
        return gone, moved

    def _reason(
        self,
        *,
        state: str,
        invalid_address: bool = False,
        duplicate: bool = False,
        blocked: str = "",
        opted_out: bool = False,
    ) -> str:
        return skip_reason(
            invalid_address=invalid_address,
            duplicate=duplicate,
            blocked=blocked,
            state=state,
            opted_out=opted_out,
            include_states=self._include_states,
            is_for_members=self._is_for_members,
        )

    def _is_settled(self, row: tuple[Any, ...], keys: Mapping[int, str]) -> bool:
        """Return whether a recipient as it is now, a `_Seen`, certainly gets its mail at the same address."""
        number, contact_id, noted, shares, _, key, unique_email, state, blocked, opted_out, has_erased = row
        if shares or blocked or opted_out or has_erased or contact_id is None or not key == noted == keys[number]:
            return False
        if self._is_by_address and unique_email is None:
            return False
        if state not in self._mailed:
            self._mailed[state] = not self._reason(state=state)
        return self._mailed[state]

    def _statement(self) -> Select[Any]:
        """Return the statement that reads the ledger rows with the given `numbers`; compiled once."""
        job, table = self._job, deliveries.c
        list_id = job.list_id or 0
        blocked = (
            # "banned" comes before "suppressed".
            select(func.min(suppressions.c.kind))
            .where(
                suppressions.c.account_id == job.account_id,
                suppressions.c.email_key == func.coalesce(contacts.c.email_key, table.email_key),
                # Expressions rather than values, of which a list would be written into the statement for each run.
                suppressions.c.list_id.in_((literal(0), literal(list_id))),
            )
            .scalar_subquery()
        )
        double = contacts.alias()
        # Contacts with the same mailbox share their state (lk-64).
        others = (double.c.account_id == job.account_id) & (double.c.double_of == contacts.c.id)
        shares = or_(contacts.c.double_of.is_not(None), select(double.c.id).where(others).exists())
        # Truth values are left as the driver has them.
        return (
            select(
                table.id,
                table.contact_id,
                table.email_key.label("noted"),
                type_coerce(shares, Integer).label("shares"),
                contacts.c.email,
                contacts.c.email_key.label("key"),
                contacts.c.unique_email,
                self._audience.state(contacts.c).label("state"),
                blocked.label("blocked"),
                type_coerce(self._audience.opted_out(table.contact_id), Integer).label("opted_out"),
                type_coerce(any_erased(job.account_id), Integer).label("has_erased"),
            )
            .join(contacts, contacts.c.id == table.contact_id, isouter=True)
            .join(
                memberships,
                (memberships.c.list_id == list_id) & (memberships.c.contact_id == table.contact_id),
                isouter=True,
            )
            .where(among(table.id, self._kind, "numbers"))
        )
