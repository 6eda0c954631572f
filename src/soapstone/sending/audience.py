"""The audience of a send: chooses or skips each candidate, with the reason, as one row in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, or_, select, union_all
from sqlalchemy import Row as DatabaseRow

from soapstone.addresses import address_key
from soapstone.contacts.erased_addresses import erased_among
from soapstone.contacts.mailboxes import sharing
from soapstone.jobs.job import Job
from soapstone.lists.profile_filter import Term, matches
from soapstone.sending.mail.mailbox import is_mailbox
from soapstone.sending.supplied_file import Row
from soapstone.store.database import Database
from soapstone.store.tables import contacts, deliveries, lists, memberships, messages, opt_outs, suppressions
from soapstone.vocabulary.deliveries import WITHOUT_MAIL, DeliveryState, SkipReason

# Characters of the longest address; the ledger keeps as many of an invalid one.
LONGEST_ADDRESS = 320

# The order in which states win among contacts that share an address. A contact whose e-mail channel is shut is
# suppressed, whatever address it comes to have, by an import for instance (mm-77).
RANKS = {"suppressed": 4, "unsubscribed": 3, "waiting": 2, "subscribed": 1, "": 0}
# Members counted at once.
COUNT_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A possible recipient. `state` is its state on the list: subscribed, unsubscribed, waiting or "" (absent); or
    suppressed, if its e-mail channel is shut.

    An absent candidate that opted out of the list, its category or all mail counts as unsubscribed.

    `fields` are its own values by merge key; `flawed` means that they are unreliable.
    """

    email: str
    contact_id: int | None = None
    state: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    flawed: bool = False


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one send, in addition to those of all sends.

    `reach` names membership states to mail anyway (mm-100). `once` skips recipients that had the same message
    by another send (mm-102). `after` holds earlier sends of the same call, whose recipients are skipped (mm-103).
    Subscribers of the lists in `without` are skipped. `members` skips contacts that are not on the list.
    """

    reach: Collection[str] = ()
    members: bool = False
    once: bool = False
    after: Collection[int] = ()
    without: Collection[int] = ()


def skip_reason(
    *,
    invalid_address: bool,
    duplicate: bool,
    blocked: str,
    state: str,
    opted_out: bool,
    include_states: Collection[str],
    is_for_members: bool,
) -> SkipReason | Literal[""]:
    """Return why a candidate is skipped; "" if it is mailed.

    `blocked` is "banned", "suppressed" or "". `state` is as in Candidate, `include_states` is `reach` of Rules;
    `opted_out` says that the contact opted out of the message's or the list's category.
    """
    if invalid_address:
        return SkipReason.INVALID_ADDRESS
    if duplicate:
        return SkipReason.DUPLICATE
    if blocked or state == "suppressed":
        return SkipReason(blocked or "suppressed")
    if state == "unsubscribed" and state not in include_states:
        return SkipReason.UNSUBSCRIBED
    if state == "waiting" and state not in include_states:
        return SkipReason.UNCONFIRMED
    if opted_out and "unsubscribed" not in include_states:
        return SkipReason.UNSUBSCRIBED
    return SkipReason.LEFT if is_for_members and not state else ""


class Audience:
    """Chooses the recipients of one send."""

    def __init__(
        self, database: Database, job: Job, message_id: int, rules: Rules | None = None, *, is_test: bool = False
    ) -> None:
        self._database = database
        self._job = job
        self._message_id = message_id
        self._rules = rules or Rules()
        self._is_test = is_test

    def members(self, after: int, limit: int, terms: Sequence[Term] = ()) -> tuple[list[Candidate], int | None]:
        """Return the next subscribed members that match the terms, by contact number, from the one after `after`.

        Reads `limit` members; also returns the number of the last one, None at the end.
        """
        rows = _subscribed(self._database, self._job.list_id, after, limit)
        found = [
            Candidate(email=row.email, contact_id=row.contact_id, state=row.state)
            for row in rows
            if matches(terms, row.profile)
        ]
        return found, rows[-1].contact_id if rows else None

    def strangers(self, rows: Sequence[Row], wanted: Collection[str]) -> list[Candidate]:
        """Return the recipients in rows of a file, with their contacts; keeps only the `wanted` values."""
        known = self.known({address_key(row.address) for row in rows})
        found = []
        for row in rows:
            contact_id, state = known.get(address_key(row.address), (None, ""))
            values = {key: row.values.get(key, "") for key in wanted}
            found.append(
                Candidate(email=row.address, contact_id=contact_id, state=state, fields=values, flawed=row.flawed)
            )
        return found

    def addresses(self, emails: Sequence[str], fields: Mapping[str, str]) -> list[Candidate]:
        """Return single addresses, with their contacts; all have the same `fields`."""
        known = self.known({address_key(email) for email in emails})
        found = []
        for email in emails:
            contact_id, state = known.get(address_key(email), (None, ""))
            found.append(Candidate(email=email, contact_id=contact_id, state=state, fields=fields))
        return found

    def people(self, contact_ids: Sequence[int]) -> list[Candidate]:
        """Return contacts of the account, in this order; unknown numbers are left out."""
        query = (
            select(contacts.c.id, contacts.c.email, self.state(contacts.c).label("state"))
            .join(
                memberships,
                (memberships.c.contact_id == contacts.c.id) & (memberships.c.list_id == self._job.list_id),
                isouter=True,
            )
            .where(contacts.c.account_id == self._job.account_id, contacts.c.id.in_(contact_ids))
        )
        with self._database.read() as connection:
            found = {row.id: row for row in connection.execute(query)}
        return [
            Candidate(email=found[each].email, contact_id=each, state=found[each].state)
            for each in contact_ids
            if each in found
        ]

    def failures(self, job_id: int, after: int, limit: int) -> tuple[list[Candidate], int | None]:
        """Return recipients that another send of this account did not reach, from the row after `after`, as `members`.

        A changed address is mailed at the new one, unless the old one has had the message.
        """
        person = contacts.c
        query = (
            select(deliveries, person.email.label("new_email"), person.email_key.label("new_key"))
            .join(
                contacts,
                (person.id == deliveries.c.contact_id) & (person.account_id == deliveries.c.account_id),
                isouter=True,
            )
            .where(
                deliveries.c.job_id == job_id,
                deliveries.c.account_id == self._job.account_id,
                deliveries.c.id > after,
                deliveries.c.state == DeliveryState.FAILED,
                # Rows of deleted contacts count too, and yield no candidate.
                deliveries.c.email_key != "",
            )
            .order_by(deliveries.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        moved = {row.email_key for row in rows if row.new_key not in (None, row.email_key)}
        moved -= self._already_sent(moved) if moved else set()
        addresses = [
            (row.new_email, row.new_key) if row.email_key in moved else (row.email, row.email_key) for row in rows
        ]
        known = self.known({key for _, key in addresses if key})
        found = [
            Candidate(email=email, contact_id=row.contact_id, state=known.get(key, (None, ""))[1], fields=row.fields)
            for row, (email, key) in zip(rows, addresses, strict=True)
        ]
        return found, rows[-1].id if rows else None

    def judge(self, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
        """Return the ledger rows for these candidates; an address is chosen at most once per send.

        That of a deleted person, who is no contact, keeps nothing of it.
        """
        keys = [address_key(candidate.email)[:LONGEST_ADDRESS] for candidate in candidates]
        seen, banned, suppressed, erased = self._looked_up(set(keys))
        already_sent = self._already_sent(set(keys))
        known = {candidate.contact_id for candidate in candidates if candidate.contact_id is not None}
        opted_out = self.opted_out_among(known)
        shared = self.shared_states(known)
        excluded = self._excluded(set(keys))
        rows = []
        for candidate, key in zip(candidates, keys, strict=True):
            reason = skip_reason(
                invalid_address=candidate.flawed or not is_mailbox(candidate.email),
                duplicate=key in seen,
                blocked="banned" if key in banned else "suppressed" if key in suppressed else "",
                state=shared.get(candidate.contact_id or 0, candidate.state),
                opted_out=candidate.contact_id in opted_out,
                include_states=self._rules.reach,
                is_for_members=self._rules.members,
            )
            if not reason and key in excluded:
                reason = SkipReason.EXCLUDED
            if not reason and key in already_sent:
                reason = SkipReason.ALREADY_SENT
            if reason != SkipReason.INVALID_ADDRESS:
                seen.add(key)
            was_deleted = key in erased and candidate.contact_id is None
            if was_deleted:
                reason = SkipReason.SUPPRESSED
            rows.append(
                {
                    "account_id": self._job.account_id,
                    "job_id": self._job.id,
                    "message_id": self._message_id,
                    "contact_id": candidate.contact_id,
                    "email": "" if was_deleted else candidate.email[:LONGEST_ADDRESS],
                    "email_key": "" if was_deleted else key,
                    "fields": {} if was_deleted else dict(candidate.fields),
                    "state": DeliveryState.SKIPPED if reason else DeliveryState.QUEUED,
                    "reason": reason,
                    "is_test": self._is_test,
                }
            )
        return rows

    def _looked_up(self, keys: set[str]) -> tuple[set[str], set[str], set[str], Collection[str]]:
        """Return which of the keys are already in this send, banned, suppressed, and those of deleted people."""
        before = select(deliveries.c.email_key).where(
            deliveries.c.job_id == self._job.id,
            deliveries.c.email_key.in_(keys),
            deliveries.c.reason != SkipReason.INVALID_ADDRESS,
        )
        blocked = select(suppressions.c.kind, suppressions.c.email_key).where(
            suppressions.c.account_id == self._job.account_id,
            suppressions.c.email_key.in_(keys),
            suppressions.c.list_id.in_((0, self._job.list_id or 0)),
        )
        found: dict[str, set[str]] = {"banned": set(), "suppressed": set()}
        with self._database.read() as connection:
            seen = set(connection.execute(before).scalars())
            for kind, key in connection.execute(blocked):
                found[kind].add(key)
            erased = erased_among(connection, self._job.account_id, keys).keys()
        return seen, found["banned"], found["suppressed"] | erased, erased

    def _already_sent(self, keys: set[str]) -> set[str]:
        """Return which of the keys another send, of those that the rules name, has reached or is sending to."""
        if not self._rules.once and not self._rules.after:
            return set()
        others = deliveries.c.job_id != self._job.id
        if not self._rules.once:
            others = deliveries.c.job_id.in_(self._rules.after)
        query = select(deliveries.c.email_key).where(
            deliveries.c.message_id == self._message_id,
            deliveries.c.email_key.in_(keys),
            others,
            deliveries.c.state.not_in(WITHOUT_MAIL),
        )
        if self._rules.once:
            query = query.where(~deliveries.c.is_test)
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def _excluded(self, keys: set[str]) -> set[str]:
        """Return which of the keys are subscribed to an excluded list."""
        if not self._rules.without:
            return set()
        people = self._of_addresses(keys)
        query = (
            select(people.c.email_key)
            .join(memberships, memberships.c.contact_id == people.c.id)
            .where(memberships.c.list_id.in_(self._rules.without), memberships.c.state == "subscribed")
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def is_there(self, connection: Connection, delivery_id: int, key: str) -> bool:
        """Return whether another, not skipped row of this send's ledger has the address with this key."""
        others = (deliveries.c.job_id == self._job.id) & (deliveries.c.id != delivery_id)
        query = select(deliveries.c.id).where(
            others, deliveries.c.email_key == key, deliveries.c.state != DeliveryState.SKIPPED
        )
        return connection.execute(query.limit(1)).first() is not None

    def opted_out(self, contact_id: ColumnElement[int | None]) -> ColumnElement[bool]:
        """Return the condition that a contact opted out of a category, as in `opted_out_among`."""
        message_category = select(messages.c.category_id).where(messages.c.id == self._message_id).scalar_subquery()
        list_category = select(lists.c.category_id).where(lists.c.id == self._job.list_id).scalar_subquery()
        against = or_(
            and_(opt_outs.c.kind == "message_category", opt_outs.c.target_id == message_category),
            and_(opt_outs.c.kind == "list_category", opt_outs.c.target_id == list_category),
        )
        return select(opt_outs.c.kind).where(opt_outs.c.contact_id == contact_id, against).exists()

    def opted_out_among(self, contact_ids: Collection[int]) -> set[int]:
        """Return the contacts that opted out of the message's category, or of the list's (mm-120).

        A list may have joined its category after its members opted out of it.
        """
        if not contact_ids:
            return set()
        categories = {
            "message_category": select(messages.c.category_id).where(messages.c.id == self._message_id),
            "list_category": select(lists.c.category_id).where(lists.c.id == self._job.list_id),
        }
        with self._database.read() as connection:
            found = {kind: connection.execute(query).scalar_one_or_none() for kind, query in categories.items()}
            against = [
                and_(opt_outs.c.kind == kind, opt_outs.c.target_id == number)
                for kind, number in found.items()
                if number is not None
            ]
            if not against:
                return set()
            query = select(opt_outs.c.contact_id).where(opt_outs.c.contact_id.in_(contact_ids), or_(*against))
            return set(connection.execute(query).scalars())

    def shared_states(self, contact_ids: Collection[int], connection: Connection | None = None) -> dict[int, str]:
        """Return the states of contacts that share a mailbox: an opt-out of one holds for all (lk-64).

        A contact that opted out of the message's or the list's category counts as unsubscribed.
        """
        with nullcontext(connection) if connection is not None else self._database.read() as reading:
            mailboxes = sharing(reading, self._job.account_id, contact_ids)
            if not mailboxes:
                return {}
            everyone = {each for mailbox in mailboxes.values() for each in mailbox}
            here = (memberships.c.contact_id == contacts.c.id) & (memberships.c.list_id == self._job.list_id)
            query = select(contacts.c.id, self.state(contacts.c).label("state")).join(memberships, here, isouter=True)
            found = reading.execute(query.where(contacts.c.id.in_(everyone)))
            # A contact that was deleted since says nothing.
            states: dict[int, str] = {**dict.fromkeys(everyone, ""), **{row.id: row.state for row in found}}
        for each in self.opted_out_among(everyone):
            states[each] = max(states[each], "unsubscribed", key=RANKS.__getitem__)
        return {each: max((states[one] for one in shared), key=RANKS.__getitem__) for each, shared in mailboxes.items()}

    def state(self, person: Any) -> ColumnElement[str]:
        """Return the state of a contact (columns `id`, `unsubscribed_at`, `channels_shut`): suppressed, or that of its
        membership if it has one."""
        category = select(lists.c.category_id).where(lists.c.id == self._job.list_id).scalar_subquery()
        against = and_(
            opt_outs.c.contact_id == person.id,
            or_(
                and_(opt_outs.c.kind == "list", opt_outs.c.target_id == self._job.list_id),
                and_(opt_outs.c.kind == "list_category", opt_outs.c.target_id == category),
            ),
        )
        left = or_(person.unsubscribed_at.is_not(None), select(opt_outs.c.kind).where(against).exists())
        beside = case((left, "unsubscribed"), else_="")
        if self._job.list_id is None:
            # Without a list: contacts that never confirmed any subscription get no mail.
            other = memberships.alias()
            on_any = select(other.c.state).where(other.c.contact_id == person.id)
            waits = on_any.where(other.c.state == "waiting").exists()
            confirmed = on_any.where(other.c.state == "subscribed").exists()
            beside = case((left, "unsubscribed"), (and_(waits, ~confirmed), "waiting"), else_="")
        return case((_is_shut(person), "suppressed"), else_=func.coalesce(memberships.c.state, beside))

    def _of_addresses(self, keys: Collection[str]) -> Subquery:
        """Return the account's contacts with these addresses."""
        ours = contacts.c.account_id == self._job.account_id
        # The two kinds of account (mm-53) have an index each.
        either: list[ColumnElement[bool]] = [
            ours & contacts.c.unique_email.in_(keys),
            ours & contacts.c.unique_email.is_(None) & contacts.c.email_key.in_(keys),
        ]
        wanted = (contacts.c.id, contacts.c.email_key, contacts.c.unsubscribed_at, contacts.c.channels_shut)
        return union_all(*(select(*wanted).where(one) for one in either)).subquery()

    def known(self, keys: set[str], connection: Connection | None = None) -> dict[str, tuple[int, str]]:
        """Return contact and state on the list of the known addresses, by key.

        Of contacts that share an address, an unsubscribed or unconfirmed one decides for all.
        """
        people = self._of_addresses(keys)
        query = select(people.c.id, people.c.email_key, self.state(people.c).label("state")).join(
            memberships,
            (memberships.c.contact_id == people.c.id) & (memberships.c.list_id == self._job.list_id),
            isouter=True,
        )
        found: dict[str, tuple[int, str]] = {}
        with nullcontext(connection) if connection is not None else self._database.read() as reading:
            # Ordered by the database, SQLite would read the whole account.
            for row in sorted(reading.execute(query), key=itemgetter(0)):
                if row.email_key not in found or RANKS[row.state] > RANKS[found[row.email_key][1]]:
                    found[row.email_key] = (row.id, row.state)
        return found


def count_members(database: Database, list_ids: Collection[int], terms: Sequence[Term] = ()) -> int:
    """Return how many contacts are subscribed to one of the lists and match the terms; a send may skip some."""
    if not terms:
        query = select(func.count(memberships.c.contact_id.distinct()))
        of_lists = memberships.c.list_id.in_(list_ids) & (memberships.c.state == "subscribed")
        with database.read() as connection:
            return int(connection.execute(query.where(of_lists)).scalar_one())
    found: set[int] = set()
    for list_id in list_ids:
        after = 0
        while rows := _subscribed(database, list_id, after, COUNT_ROWS):
            found |= {row.contact_id for row in rows if matches(terms, row.profile)}
            after = rows[-1].contact_id
    return len(found)


def _is_shut(person: Any) -> ColumnElement[bool]:
    """Return the condition that the e-mail channel of a contact (column `channels_shut`) is shut; it is named first."""
    return person.channels_shut.like("email%")  # type: ignore[no-any-return]


def _subscribed(
    database: Database, list_id: int | None, after: int, limit: int
) -> Sequence[DatabaseRow[int, str, str, Any]]:
    """Return contact, address, state and profile of the next subscribed members of a list."""
    state = case((_is_shut(contacts.c), "suppressed"), else_="subscribed")
    query = (
        select(memberships.c.contact_id, contacts.c.email, state.label("state"), memberships.c.profile)
        .join(contacts, contacts.c.id == memberships.c.contact_id)
        .where(memberships.c.list_id == list_id, memberships.c.contact_id > after, memberships.c.state == "subscribed")
        .order_by(memberships.c.contact_id)
        .limit(limit)
    )
    with database.read() as connection:
        return connection.execute(query).all()
